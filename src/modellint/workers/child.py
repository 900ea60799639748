"""The process of a worker: jobs come in on standard input, reports go out on standard output."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from queue import SimpleQueue
from threading import Thread
from typing import Any, BinaryIO

from modellint.base.children import live_no_longer_than, receive
from modellint.base.standins import adopt
from modellint.workers.job import Job, failed, lint_job


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for Windows, where signals cannot be blocked
    jobs = sys.stdin.buffer
    reports = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # for whatever native code prints
    plans, parent, folders = receive(jobs)
    adopt(folders)
    live_no_longer_than(parent)
    queue: SimpleQueue[Job] = SimpleQueue()
    Thread(target=_receive, args=(jobs, queue), daemon=True).start()
    while True:
        job = queue.get()
        reports.write(_report(job, plans))
        reports.flush()


def _receive(jobs: BinaryIO, queue: SimpleQueue[Job]) -> None:
    """Pass on jobs; end the process, whatever it does, when the parent has ended."""
    try:
        while True:
            queue.put(receive(jobs))
    finally:
        os._exit(1)


def _report(job: Job, plans: Any) -> bytes:
    try:
        return pickle.dumps(lint_job(job, plans))
    except Exception as error:  # what a rule put into its evidence
        return pickle.dumps(failed(job, error))
