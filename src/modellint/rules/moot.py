"""Findings that are moot: on the use of a model that its runtime refuses anyway."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from modellint.results.finding import Finding, Severity
from modellint.rules.rule import Rule

_INVALID_FAMILIES = frozenset({"validity", "compat"})
"""Families whose errors say that a runtime refuses the model."""


def without_moot(findings: Sequence[Finding], rules: Iterable[Rule]) -> list[Finding]:
    """Return a model's findings without those that a refusal makes moot.

    A suppressed refusal does not count: the user knows better. Nor does one by another runtime.
    One that a baseline accepts still counts: it is true, and what it hides is new without it.
    """
    if len(findings) < 2:  # a refusal, and what it makes moot
        return list(findings)
    codes = {each.code for each in findings}
    by_code = {rule.code: rule for rule in rules if rule.code in codes}
    moot = {code for code, rule in by_code.items() if rule.once_loaded}
    if not moot:
        return list(findings)
    refusals = [each for each in findings if _is_refusal(each, by_code.get(each.code))]
    return [
        each
        for each in findings
        if each.code not in moot or not any(_covers(refusal, each) for refusal in refusals)
    ]


def _is_refusal(finding: Finding, rule: Rule | None) -> bool:
    if rule is None or finding.suppressed is not None or finding.severity < Severity.ERROR:
        return False
    return rule.refused or rule.family in _INVALID_FAMILIES


def _covers(refusal: Finding, finding: Finding) -> bool:
    """Return True if the refusal is by the runtime and on the target of the finding."""
    return refusal.runtime in (None, finding.runtime) and refusal.target in (None, finding.target)
