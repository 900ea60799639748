"""Worker processes, which may die without aborting the run."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from modellint.base import interrupts
from modellint.plan import FileReport, Plan
from modellint.workers.job import Done, Job, died, lint_job

_plans: Sequence[Plan] = ()
"""In a worker process: the plans of its jobs."""


def _begin(plans: Sequence[Plan]) -> None:
    global _plans
    _plans = plans
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for Windows, where signals cannot be blocked


def _work(job: Job) -> FileReport:
    return lint_job(job, _plans)


def _submit(executor: ProcessPoolExecutor, job: Job) -> Future[FileReport]:
    """Submit a job, which may start a worker; only the parent handles Ctrl-C."""
    with interrupts.held():
        return executor.submit(_work, job)


class Pool:
    """Worker processes, replaced when they die."""

    def __init__(self, plans: Sequence[Plan], processes: int) -> None:
        self._plans = plans
        self._processes = processes

    def run(self, jobs: Sequence[Job], done: Done) -> None:
        waiting = deque(jobs)
        while True:
            suspects = self._run_until_death(waiting, done)
            if not suspects:
                return
            for job in suspects:
                self._run_alone(job, done)

    def _run_until_death(self, waiting: deque[Job], done: Done) -> list[Job]:
        """Lint until done or a worker dies; return the jobs that were running when it died."""
        running: dict[Future[FileReport], Job] = {}
        with self._executor(self._processes) as executor:
            try:
                while True:
                    while len(running) < self._processes and waiting:
                        job = waiting.popleft()
                        running[_submit(executor, job)] = job
                    if not running:
                        return []
                    for ended in wait(running, return_when=FIRST_COMPLETED).done:
                        done(running[ended], ended.result())
                        del running[ended]
            except BrokenProcessPool:
                return list(running.values())
            except BaseException:
                end(executor)
                raise

    def _run_alone(self, job: Job, done: Done) -> None:
        """Run a job in a separate process, which may die."""
        with self._executor(1) as executor:
            try:
                report = _submit(executor, job).result()
            except BrokenProcessPool:
                report = died(job)
            except BaseException:
                end(executor)
                raise
        done(job, report)

    def _executor(self, processes: int) -> ProcessPoolExecutor:
        # No fork: the parent may have threads, such as the progress bar's.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(processes, context, _begin, (self._plans,))


def end(executor: ProcessPoolExecutor) -> None:
    """Kill the workers immediately."""
    executor.shutdown(wait=False, cancel_futures=True)
    for process in multiprocessing.active_children():
        process.terminate()
