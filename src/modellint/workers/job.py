"""One file's linting as a worker does it, here or in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from modellint.cache import plain
from modellint.engine import lint_file
from modellint.finding import ModelSummary
from modellint.plan import FileReport, Plan
from modellint.rules.registry import load_rules
from modellint.rules.remark import remark

DIED = "INT002"


@dataclass(frozen=True, slots=True)
class Job:
    """One file to lint; the plan is one of a few, named by its place among them."""

    path: Path
    shown: str
    plan: int


Done = Callable[[Job, FileReport], None]
"""Is told of each file that is done."""


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


def died(job: Job) -> FileReport:
    """What is said of a file whose linting ended the process."""
    rule = load_rules(plugins=False)[DIED]
    finding = remark(rule, job.shown, {"error": "it was ended by the operating system"})
    return FileReport(ModelSummary(job.shown, "unknown"), (finding,))
