"""The process of a worker: jobs come in on standard input, reports go out on standard output."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, BinaryIO

from modellint.base.children import live_no_longer_than, receive
from modellint.base.standins import adopt


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for Windows, where signals cannot be blocked
    jobs = sys.stdin.buffer
    reports = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # for whatever native code prints
    # A function of a job that returns a pickled report, and the seconds to wait for the next job.
    work, parent, patience, folders = receive(jobs)
    adopt(folders)
    live_no_longer_than(parent)
    queue: SimpleQueue[Any] = SimpleQueue()
    Thread(target=_receive, args=(jobs, queue), daemon=True).start()
    with suppress(Empty):
        while True:
            reports.write(work(queue.get(timeout=patience)))
            reports.flush()
    os._exit(0)


def _receive(jobs: BinaryIO, queue: SimpleQueue[Any]) -> None:
    """Pass on jobs; end the process, whatever it does, when the parent has ended."""
    try:
        while True:
            queue.put(receive(jobs))
    finally:
        os._exit(1)
