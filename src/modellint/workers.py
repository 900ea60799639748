"""Lints files one after the other, or in several processes when that pays."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

from modellint.cache import plain
from modellint.engine import FileReport, Plan, lint_file
from modellint.finding import ModelSummary
from modellint.rules.registry import load_rules
from modellint.rules.remark import remark

PATIENCE = 1.0
"""Seconds of work in one process before it is known whether more processes pay."""
WORTH = 2.0
"""Seconds of remaining work, as guessed from the files so far, that pay for starting processes."""
DIED = "INT002"


@dataclass(frozen=True, slots=True)
class Job:
    """One file to lint; the plan is one of a few, named by its place among them."""

    path: Path
    shown: str
    plan: int


Done = Callable[[Job, FileReport], None]


def run(jobs: Sequence[Job], plans: Sequence[Plan], processes: int | None, done: Done) -> None:
    """Lint every job, in any order, and tell `done` of each."""
    if processes == 1 or len(jobs) < 2:
        waiting = jobs
    elif processes is None:
        waiting = _run_while_cheap(jobs, plans, done)
        processes = min(len(waiting), _cores())
    else:
        waiting = []
        _Pool(plans, min(processes, len(jobs))).run(jobs, done)
    if processes is not None and processes > 1 and waiting:
        _Pool(plans, processes).run(waiting, done)
        return
    for job in waiting:
        done(job, lint_job(job, plans))


def _run_while_cheap(jobs: Sequence[Job], plans: Sequence[Plan], done: Done) -> Sequence[Job]:
    """Lint here until it is plain that the rest takes long; the rest is what is returned."""
    started = time.monotonic()
    for count, job in enumerate(jobs):
        elapsed = time.monotonic() - started
        if elapsed > PATIENCE and elapsed / count * (len(jobs) - count) > WORTH:
            return jobs[count:]
        done(job, lint_job(job, plans))
    return ()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def lint_job(job: Job, plans: Sequence[Plan]) -> FileReport:
    report = lint_file(job.path, job.shown, plans[job.plan])
    return replace(
        report,
        findings=tuple(
            replace(
                finding, evidence={key: plain(value) for key, value in finding.evidence.items()}
            )
            for finding in report.findings
        ),
    )


_plans: Sequence[Plan] = ()
"""In a worker process: the plans that its jobs name."""


def _begin(plans: Sequence[Plan]) -> None:
    global _plans
    _plans = plans
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers Ctrl-C, and ends us


def _work(job: Job) -> FileReport:
    return lint_job(job, _plans)


class _Pool:
    """Worker processes, replaced when one dies."""

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
        """Lint until all is done or a worker dies; then, what was being linted at that moment."""
        running: dict[Future[FileReport], Job] = {}
        with self._executor(self._processes) as executor:
            try:
                while True:
                    while len(running) < self._processes and waiting:
                        running[executor.submit(_work, waiting[0])] = waiting.popleft()
                    if not running:
                        return []
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        done(running[future], future.result())
                        del running[future]
            except BrokenProcessPool:
                return list(running.values())
            except BaseException:
                end(executor)
                raise

    def _run_alone(self, job: Job, done: Done) -> None:
        """In a process of its own, so that its death is its own."""
        with self._executor(1) as executor:
            try:
                report = executor.submit(_work, job).result()
            except BrokenProcessPool:
                report = died(job)
            except BaseException:
                end(executor)
                raise
        done(job, report)

    def _executor(self, processes: int) -> ProcessPoolExecutor:
        # Not by fork: the parent may have threads, such as the progress bar's.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(processes, context, _begin, (self._plans,))


def end(executor: ProcessPoolExecutor) -> None:
    """End the workers now, whatever they are doing."""
    executor.shutdown(wait=False, cancel_futures=True)
    for process in multiprocessing.active_children():
        process.terminate()


def died(job: Job) -> FileReport:
    """What is said of a file whose linting ended the process."""
    rule = load_rules(plugins=False)[DIED]
    finding = remark(rule, job.shown, {"error": "it was ended by the operating system"})
    return FileReport(ModelSummary(job.shown, "unknown"), (finding,))
