"""Reports of files, from the cache or from linting."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from modellint.base.watching import end
from modellint.cache import ReportCache, identify, plan_key
from modellint.config.load import Config
from modellint.lint.record import FileRecord
from modellint.plan import FileReport, Plan

Progress = Callable[[int, int], None]
"""Callback with the number of files done and the total."""


def add_reports(
    records: Sequence[FileRecord], here: Config, progress: Progress | None, *, remember: bool
) -> None:
    """Set the report of every record; `here` is the configuration of the working folder."""
    folder = here.cache_folder if remember else None
    cache = _PlanCache(ReportCache(folder)) if folder is not None else None
    left = [record for record in records if cache is None or not cache.load(record)]
    if left:
        _lint(left, here.settings.jobs, cache, progress)


class _PlanCache:
    """Cache of reports by record. Most files share one plan, whose key is computed once."""

    def __init__(self, cache: ReportCache) -> None:
        self._cache = cache
        self._keys: dict[int, tuple[Plan, str]] = {}

    def load(self, record: FileRecord) -> bool:
        """Set the record's report if it is cached."""
        probing = record.plan.probe
        if probing is not None and probing.save_engines is not None:
            return False  # the probe has to run to produce an engine
        found = record.found
        report = self._cache.load(found.path, found.shown, self._key(record.plan))
        if report is not None:
            record.report = report
        return report is not None

    def store(self, record: FileRecord, before: dict[str, object] | None) -> None:
        if _is_lasting(record.report):
            found, key = record.found, self._key(record.plan)
            self._cache.store(found.path, found.shown, key, before, record.report)

    def _key(self, plan: Plan) -> str:
        if id(plan) not in self._keys:
            self._keys[id(plan)] = plan, plan_key(plan)
        return self._keys[id(plan)][1]


def _is_lasting(report: FileReport) -> bool:
    """Check that a report is reproducible: a probe may have failed due to this machine's load, and
    a server may answer next time."""
    if report.fetched is not None and report.fetched.trouble:
        return False
    return not any(finding.is_internal for finding in report.findings) and not any(
        outcome.died for outcome in report.probes
    )


def _lint(
    records: Sequence[FileRecord],
    processes: int | None,
    cache: _PlanCache | None,
    progress: Progress | None,
) -> None:
    # A fully cached run needs no workers, and should not load them.
    from modellint.workers import Job, run

    plans = list({id(record.plan): record.plan for record in records}.values())
    places = {id(plan): place for place, plan in enumerate(plans)}
    jobs = {
        Job(record.found.path, record.found.shown, places[id(record.plan)]): record
        for record in records
    }
    before = {job: identify(job.path) for job in jobs} if cache is not None else {}
    finished = 0
    if progress is not None:
        progress(0, len(jobs))

    def done(job: Job, report: FileReport) -> None:
        nonlocal finished
        finished += 1
        jobs[job].report = report
        end(job.shown)
        if cache is not None:
            cache.store(jobs[job], before[job])
        if progress is not None:
            progress(finished, len(jobs))

    # One probe at a time: each uses all cores, and its limits assume that it runs alone.
    probing = any(plan.probe is not None for plan in plans)
    run(list(jobs), plans, 1 if probing else processes, done)
