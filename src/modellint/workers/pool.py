"""Worker processes, which may die at any time without aborting the run."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any

from modellint.base import children, standins
from modellint.base.watching import begin
from modellint.plan import FileReport, Plan
from modellint.workers.job import Done, Job, died, lint_job, pickled_report

Ended = SimpleQueue["tuple[_Worker, FileReport | None]"]
"""Workers that finished their job, with the report; without one, they died of it."""


class Pool:
    """Worker processes, replaced when they die."""

    def __init__(self, plans: Sequence[Plan], processes: int) -> None:
        self._plans = plans
        self._processes = processes

    def run(self, jobs: Sequence[Job], done: Done) -> None:
        """Lint all jobs. One whose worker dies is tried again, when no other needs the memory."""
        suspects = self._share_out(jobs, self._processes, done)
        for job, how in self._share_out(tuple(suspects), 1, done).items():
            done(job, died(job, f"it {how}"))

    def _share_out(self, jobs: Sequence[Job], processes: int, done: Done) -> dict[Job, str]:
        """Return the jobs whose workers died, and of what they did."""
        waiting, lost = deque(jobs), dict[Job, str]()
        running: dict[_Worker, Job] = {}
        idle: list[_Worker] = []
        ended: Ended = SimpleQueue()
        try:
            while waiting or running:
                while waiting and len(running) < processes:
                    worker = idle.pop() if idle else self._start(ended)
                    if worker is None:
                        break
                    running[worker] = waiting.popleft()
                    worker.begin(running[worker])
                    begin(running[worker].shown)
                if not running:  # the system allows no other process
                    job = waiting.popleft()
                    done(job, lint_job(job, self._plans))
                    continue
                worker, report = ended.get()
                job = running.pop(worker)
                if report is None:
                    lost[job] = worker.end()
                else:
                    idle.append(worker)
                    done(job, report)
        finally:
            for worker in (*running, *idle):
                worker.end()
        return lost

    def _start(self, ended: Ended) -> _Worker | None:
        try:
            return _Worker(self._plans, ended)
        except (OSError, RuntimeError):  # too many processes, open files or threads
            return None


class _Worker:
    """A process that lints one file at a time, and a thread that notices whatever becomes of it."""

    def __init__(self, plans: Sequence[Plan], ended: Ended) -> None:
        self._plans = plans
        self._ended = ended
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._process = children.start("workers.child")
        try:
            Thread(target=self._attend, daemon=True).start()
        except BaseException:
            self.end()
            raise

    def begin(self, job: Job) -> None:
        self._jobs.put(job)

    def end(self) -> str:
        """Kill the process if it lives; return what it died of."""
        self._jobs.put(None)
        return children.end(self._process)

    def _attend(self) -> None:
        """Pass jobs on and reports back until the worker is ended, which closes the pipes."""
        work = partial(pickled_report, self._plans)
        first: tuple[Any, ...] = ((work, os.getpid(), None, standins.known()),)
        while (job := self._jobs.get()) is not None:
            report: FileReport | None
            try:
                children.tell(self._process, *first, job)
                report = children.answer(self._process)
            except Exception:  # whatever half a report unpickles to
                report = None
            self._ended.put((self, report))
            first = ()
