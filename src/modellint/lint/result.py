"""The result of a run and its exit code."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from modellint.config.settings import FailOn
from modellint.lint.record import FileRecord
from modellint.planning.setup import Setup
from modellint.results.finding import Finding, Probed, Result, RuleInfo, Severity
from modellint.rules.registry import with_examples
from modellint.rules.rule import Rule

if TYPE_CHECKING:
    from modellint.probes import Outcome

FINDINGS, INTERNAL_ERROR = 1, 3
"""Exit codes other than 0; 2 and 130 end a run before it has a result."""


def make_result(
    records: Sequence[FileRecord],
    setups: Sequence[Setup],
    remarks: Mapping[Setup, Sequence[Finding]],
    exit_zero: bool,
    started: float,
) -> Result:
    judged = [(record.setup, finding) for record in records for finding in record.findings]
    judged += [(setup, finding) for setup in setups for finding in remarks[setup]]
    findings = tuple(
        replace(finding, fails=True) if _fails(setup.config.settings.fail_on, finding) else finding
        for setup, finding in judged
    )
    plans = {record.plan: None for record in records}
    deployments = {each.describe(): each for plan in plans for each in plan.deployments}
    return Result(
        models=tuple(replace(each.report.summary, path=each.found.shown) for each in records),
        findings=findings,
        rules=_rule_infos(records, setups, findings),
        exit_code=_exit_code(findings, exit_zero),
        seconds=time.perf_counter() - started,
        assumptions=tuple(each.assumptions() for each in deployments.values()),
        timings=_timings(records),
        probes=tuple(
            _probed(record.found.shown, outcome)
            for record in records
            for outcome in record.report.probes
        ),
        devices={
            each.target.id: each.target.name
            for each in deployments.values()
            if each.target is not None
        },
    )


def _fails(fail_on: FailOn, finding: Finding) -> bool:
    is_severe = fail_on != "never" and finding.severity >= Severity.parse(fail_on)
    return is_severe and finding.suppressed is None


def _exit_code(findings: Iterable[Finding], exit_zero: bool) -> int:
    """Return 3 after internal errors, 1 if a finding is severe enough, else 0."""
    findings = list(findings)
    if any(finding.is_internal and finding.suppressed is None for finding in findings):
        return INTERNAL_ERROR
    return FINDINGS if any(finding.fails for finding in findings) and not exit_zero else 0


def _rule_infos(
    records: Sequence[FileRecord], setups: Sequence[Setup], findings: Iterable[Finding]
) -> Mapping[str, RuleInfo]:
    """Return all rules that ran or have findings."""
    plans = {id(record.plan): record.plan for record in records}
    rules = {rule.code: rule for plan in plans.values() for rule in plan.rules}
    for code in dict.fromkeys(finding.code for finding in findings):
        for setup in setups:
            if code in setup.catalogue:
                rules.setdefault(code, setup.catalogue[code])
    return _RuleInfos(dict(sorted(rules.items())))


class _RuleInfos(Mapping[str, RuleInfo]):
    """Mapping that builds rule summaries on access: only SARIF needs those of all rules."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self._rules = rules
        self._built: dict[str, RuleInfo] = {}

    def __getitem__(self, code: str) -> RuleInfo:
        if code not in self._built:
            self._built[code] = with_examples(self._rules[code]).info()
        return self._built[code]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rules)

    def __len__(self) -> int:
        return len(self._rules)


def _timings(records: Sequence[FileRecord]) -> dict[str, float]:
    """Return the seconds per rule, 0 for those that no model had to be asked about."""
    linted = [record for record in records if record.report.timings]
    timings: Counter[str] = Counter()
    for plan in {record.plan: None for record in linted}:
        timings.update({rule.code: 0.0 for rule in plan.rules if plan.may_ask(rule)})
    for record in linted:
        timings.update(record.report.timings)
    return dict(timings)


def _probed(shown: str, outcome: Outcome) -> Probed:
    figures = {key: value for key, value in asdict(outcome.figures).items() if value is not None}
    return Probed(
        path=shown,
        backend=outcome.backend,
        version=outcome.version,
        target=outcome.target,
        status=outcome.status,
        level=outcome.level,
        detail=outcome.detail,
        reason=outcome.reason,
        figures=figures,
        placement=outcome.placement,
        layers=outcome.layers,
        cached=outcome.cached,
    )
