"""Lints files one after the other, or in several processes when that pays."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Sequence

from modellint.plan import Plan
from modellint.workers.job import Done, Job, lint_job

PATIENCE = 1.0
"""Seconds of work in one process before it is known whether more processes pay."""
WORTH = 2.0
"""Seconds of remaining work, as guessed from the files so far, that pay for starting processes."""


def run(jobs: Sequence[Job], plans: Sequence[Plan], processes: int | None, done: Done) -> None:
    """Lint every job, in any order, and tell `done` of each."""
    waiting = jobs
    if processes is None:
        waiting = _run_while_cheap(jobs, plans, done)
        processes = _cores()
    processes = min(processes, len(waiting))
    if processes > 1:
        from modellint.workers.pool import Pool  # most runs need none, nor what it loads

        Pool(plans, processes).run(waiting, done)
        return
    for count, job in enumerate(waiting):
        _collect_garbage(count)
        done(job, lint_job(job, plans))


def _run_while_cheap(jobs: Sequence[Job], plans: Sequence[Plan], done: Done) -> Sequence[Job]:
    """Lint here until it is plain that the rest takes long; the rest is what is returned."""
    started = time.monotonic()
    for count, job in enumerate(jobs):
        elapsed = time.monotonic() - started
        if count and elapsed > PATIENCE and elapsed / count * (len(jobs) - count) > WORTH:
            return jobs[count:]
        _collect_garbage(count)
        done(job, lint_job(job, plans))
    return ()


def _collect_garbage(files: int) -> None:
    """Take back what the file before has left; after the last file, the end of the process does."""
    if files and not gc.isenabled():
        gc.collect(0)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


__all__ = ["Job", "run"]
