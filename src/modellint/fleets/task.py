"""The one function that lints a file of a fleet: a task in, plain rows out, wherever it runs."""

from __future__ import annotations

import datetime
import os
import pickle
import socket
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from modellint.base.errors import UsageError
from modellint.base.records import dataclass
from modellint.base.standins import StandIns, adopt, known, path_of
from modellint.base.temporary import temporary_folder
from modellint.base.version import __version__
from modellint.config.settings import FailOn
from modellint.plan import FileReport, Plan
from modellint.results.finding import Finding, Severity
from modellint.rules.baseline import Baseline
from modellint.rules.moot import without_moot
from modellint.rules.rule import Rule
from modellint.rules.suppression import Suppression, suppress
from modellint.workers.job import Job, died, lint_job

Row = dict[str, "str | int | float | None"]
Rows = tuple[Row, list[Row]]
"""The row of a model, and those of its findings."""

_homes = ExitStack()
"""Folders that last as long as this process."""
MOST = (1 << 63) - 1
"""The largest number that a column can hold."""


@dataclass(frozen=True, slots=True)
class FleetTask:
    """A file to lint, as an engine passes it on."""

    path: str
    """Its place, from which workers read it: a path, or an address."""
    shown: str
    """Its name in results."""
    size: int
    edition: str
    """Text that changes with the file."""
    plan: int
    policy: int
    configured: str = ""
    """Its name as suppressions match it."""
    recorded: str = ""
    """Its name in the baseline."""

    @property
    def job(self) -> Job:
        return Job(path_of(self.path), self.shown, self.plan)


@dataclass(frozen=True, slots=True)
class Policy:
    """Decides for a configuration's files which findings count, and which make the run fail."""

    suppressions: tuple[Suppression, ...]
    baseline: Baseline | None
    fail_on: FailOn

    def judged(
        self, findings: Sequence[Finding], task: FleetTask, rules: Sequence[Rule]
    ) -> list[Finding]:
        """Return those of the rules' findings that are of use, with the accepted ones marked."""
        today = datetime.date.today()
        marked, _ = suppress(findings, task.configured, self.suppressions, today)
        marked = without_moot(marked, rules)
        if self.baseline is not None:
            marked, _ = self.baseline.apply(marked, task.recorded)
        return marked

    def fails(self, finding: Finding) -> bool:
        if self.fail_on == "never" or finding.suppressed is not None:
            return False
        return finding.severity >= Severity.parse(self.fail_on)


@dataclass(frozen=True, slots=True)
class Orders:
    """All that linting the files of a run needs besides them, packed once for all workers."""

    version: str
    landmark: str
    """A file of the run, which each worker must see; empty if none is on a disk."""
    packed: bytes
    run: str
    """Names the run among all others."""


def make_orders(landmark: str, plans: Sequence[Plan], policies: Sequence[Policy]) -> Orders:
    packed = zlib.compress(pickle.dumps((tuple(plans), tuple(policies), known())), 1)
    return Orders(__version__, landmark, packed, uuid4().hex)


def lint_task(orders: Orders, task: FleetTask) -> Rows:
    """Return the rows of a file: whatever is in it, short of the process dying."""
    plans, policies = _unpacked(orders)
    started = time.perf_counter()
    report = lint_job(task.job, plans)
    policy, rules = policies[task.policy], plans[task.plan].rules
    return _rows(task, report, policy, rules, time.perf_counter() - started)


def rows_of_death(task: FleetTask, policy: Policy, how: str) -> Rows:
    """Return the rows of a file whose linting killed each worker that tried."""
    return _rows(task, died(task.job, how), policy, (), 0.0)


@lru_cache(maxsize=4)
def _unpacked(orders: Orders) -> tuple[tuple[Plan, ...], tuple[Policy, ...]]:
    """Unpack orders, once in each process, and check that they can be carried out here."""
    host = socket.gethostname()
    if orders.version != __version__:
        raise UsageError(
            f"the worker on {host} has modellint {__version__}, but this run uses "
            f"{orders.version}; install the same version everywhere"
        )
    if orders.landmark and not os.path.lexists(orders.landmark):
        raise UsageError(
            f"the worker on {host} does not see {orders.landmark}; models must be in a place "
            "that every worker can read"
        )
    plans, policies, folders = pickle.loads(zlib.decompress(orders.packed))
    _adopt(folders)
    return plans, policies


def _adopt(folders: Iterable[StandIns]) -> None:
    """Know what stands for remote files, which on another machine has to be put there first."""
    for each in folders:
        if not Path(each.folder).is_dir():
            each.move(_homes.enter_context(temporary_folder()))
    adopt(folders)


def _rows(
    task: FleetTask, report: FileReport, policy: Policy, rules: Sequence[Rule], seconds: float
) -> Rows:
    found = policy.judged(report.findings, task, rules)
    return _model_row(task, report, policy, found, seconds), [
        _finding_row(task.shown, each, fails=policy.fails(each)) for each in found
    ]


def _model_row(
    task: FleetTask,
    report: FileReport,
    policy: Policy,
    found: Sequence[Finding],
    seconds: float,
) -> Row:
    summary = report.summary
    counts = [each.severity for each in found if each.suppressed is None]
    return {
        "path": task.shown,
        "format": printable(summary.format),
        "bytes": task.size,
        "edition": task.edition,
        "nodes": _bounded(summary.nodes),
        "parameters": _bounded(summary.parameters),
        "weight_bytes": _bounded(summary.weight_bytes),
        "rules_asked": summary.rules_asked,
        "rules_planned": summary.rules_planned,
        "errors": counts.count(Severity.ERROR),
        "warnings": counts.count(Severity.WARNING),
        "infos": counts.count(Severity.INFO),
        "suppressed": len(found) - len(counts),
        "failing": sum(map(policy.fails, found)),
        "internal": sum(each.is_internal for each in found),
        "fetched": report.fetched.nbytes if report.fetched is not None else 0,
        "requests": report.fetched.requests if report.fetched is not None else 0,
        "seconds": round(seconds, 6),
        "worker": f"{socket.gethostname()}:{os.getpid()}",
    }


def _finding_row(path: str, finding: Finding, *, fails: bool) -> Row:
    place = finding.location
    row: Mapping[str, Any] = {
        "path": path,
        "code": finding.code,
        "rule": finding.rule,
        "family": finding.family,
        "severity": str(finding.severity),
        "message": finding.message,
        "graph": place.graph,
        "node": place.node,
        "op_type": place.op_type,
        "value": place.value,
        "count": _bounded(finding.count),
        "runtime": finding.runtime,
        "target": finding.target,
        "confidence": finding.confidence,
        "fingerprint": finding.fingerprint,
        "suppressed": finding.suppressed,
        "failing": int(fails),
    }
    return {k: printable(v) if isinstance(v, str) else v for k, v in row.items()}


def _bounded(number: int | None) -> int | None:
    """Return a number that fits a column: that of a damaged file may not."""
    return min(number, MOST) if number is not None else None


def printable(text: str) -> str:
    """Return a text that is valid Unicode, as Parquet and JSON need it."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
