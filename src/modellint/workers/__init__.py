"""Linting of files in this process, or in several processes if that is faster."""

from __future__ import annotations

import gc
import os
import time
from bisect import insort
from collections.abc import Sequence

from modellint.base.standins import expect
from modellint.plan import FileReport, Plan
from modellint.workers.job import Done, Job, lint_job

PATIENCE = 1.0
"""Seconds of processor time in one process before it is known whether more processes pay."""
WORTH = 6.0
"""Estimated seconds of remaining work that justify starting processes."""
AHEAD = 16
"""Number of remote files whose beginnings are fetched before their turn."""
OBJECTS, WEIGHTS = 600_000, 1 << 26
"""Number of objects, or bytes of mapped weights, that trigger a garbage collection."""


def run(jobs: Sequence[Job], plans: Sequence[Plan], processes: int | None, done: Done) -> None:
    """Lint all jobs in any order, calling `done` for each."""
    waiting = jobs
    if processes is None:
        waiting = _run_while_cheap(jobs, plans, done)
        processes = cores()
    processes = min(processes, len(waiting))
    if processes > 1:
        from modellint.workers.pool import Pool  # not needed by most runs

        Pool(plans, processes).run(waiting, done)
        return
    left = _Left()
    for count, job in enumerate(waiting):
        _expect(waiting[count : count + AHEAD])
        left.collect()
        done(job, left.by(lint_job(job, plans)))


def _run_while_cheap(jobs: Sequence[Job], plans: Sequence[Plan], done: Done) -> Sequence[Job]:
    """Lint in this process until the rest is expected to take long; return the rest."""
    started, left = _processor_time(), _Left()
    taken: list[float] = []
    for count, job in enumerate(jobs):
        before = _processor_time()
        if before - started > PATIENCE and _usual(taken) * (len(jobs) - count) > WORTH:
            return jobs[count:]
        _expect(jobs[count : count + AHEAD])
        left.collect()
        done(job, left.by(lint_job(job, plans)))
        insort(taken, _processor_time() - before)
    return ()


def _expect(jobs: Sequence[Job]) -> None:
    """Have the beginnings of remote files fetched while others are linted."""
    expect(job.path for job in jobs)


def _usual(taken: Sequence[float]) -> float:
    """Return the mean of times in ascending order, without the slowest tenth: a few large
    models say little about the rest."""
    usual = taken[: len(taken) - len(taken) // 10]
    return sum(usual) / len(usual) if usual else 0.0


class _Left:
    """Garbage of the files so far; that of the last file is freed when the process ends."""

    def __init__(self) -> None:
        self._start = gc.get_count()[0]
        self._weights = 0

    def by(self, report: FileReport) -> FileReport:
        self._weights += report.summary.weight_bytes or 0
        return report

    def collect(self) -> None:
        """Collect the garbage once there is enough of it."""
        if gc.isenabled():
            return
        if gc.get_count()[0] - self._start > OBJECTS or self._weights > WEIGHTS:
            gc.collect(0)
            self._start = self._weights = 0


def _processor_time() -> float:
    """Return the processor time of this process and its children, unaffected by other programs."""
    return time.process_time() + sum(os.times()[2:4])


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


__all__ = ["Job", "cores", "run"]
