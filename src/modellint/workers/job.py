"""Linting of a file by a worker, in this or another process."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from modellint.base.records import dataclass
from modellint.base.watching import begin
from modellint.engine import lint_file
from modellint.plan import FileReport, Plan
from modellint.results.finding import ModelSummary
from modellint.rules.remark import internal_remark

DIED, FAILED = "INT002", "INT003"


@dataclass(frozen=True, slots=True)
class Job:
    """A file to lint, with the index of its plan."""

    path: Path
    shown: str
    plan: int


Done = Callable[[Job, FileReport], None]
"""Callback for each finished file."""


def lint_job(job: Job, plans: Sequence[Plan]) -> FileReport:
    """Return the report of a file, whatever happens short of the process dying."""
    begin(job.shown)
    try:
        return lint_file(job.path, job.shown, plans[job.plan])
    except Exception as error:
        return failed(job, error)


def pickled_report(plans: Sequence[Plan], job: Job) -> bytes:
    try:
        return pickle.dumps(lint_job(job, plans))
    except Exception as error:  # what a rule put into its evidence
        return pickle.dumps(failed(job, error))


def died(job: Job, how: str) -> FileReport:
    """Return the report of a file whose linting killed the process."""
    return _without_result(job, DIED, {"error": how})


def failed(job: Job, error: Exception) -> FileReport:
    import traceback

    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(frame.filename).name}:{frame.lineno}"
    text = f"{type(error).__name__}: {error}".rstrip(": ")
    return _without_result(job, FAILED, {"error": text, "where": where})


def _without_result(job: Job, code: str, facts: Mapping[str, object]) -> FileReport:
    finding = internal_remark(code, job.shown, facts)
    return FileReport(ModelSummary(job.shown, "unknown"), (finding,))
