"""Holds what rules foretell against what a runtime then said: how the rules stay honest."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import replace

from modellint.finding import Finding, Severity
from modellint.probes.backends import known_backends
from modellint.probes.outcome import Outcome
from modellint.runtimes import title_of

CONFIRMED, CONTRADICTED = "confirmed", "contradicted"
"""Of what a rule foretold."""
FORESEEN, UNFORESEEN = "foreseen", "unforeseen"
"""Of what a runtime refused."""
EVIDENCE = "probe"
"""The key under which a finding's evidence holds one of the four."""


def confront(
    findings: tuple[Finding, ...],
    outcomes: Iterable[Outcome],
    foretelling: AbstractSet[str],
    refusing: AbstractSet[str],
) -> tuple[Finding, ...]:
    """Mark findings of `foretelling` rules, which say that the runtime refuses the model.

    Those of `refusing` rules say that it did. A model that is refused elsewhere proves nothing
    about a place that the runtime did not come to.
    """
    for outcome in outcomes:
        if outcome.asked and not outcome.died:
            findings = _weigh_one(findings, outcome, foretelling, refusing)
    return findings


def _weigh_one(
    findings: tuple[Finding, ...],
    outcome: Outcome,
    foretelling: AbstractSet[str],
    refusing: AbstractSet[str],
) -> tuple[Finding, ...]:
    mine = [finding for finding in findings if _is_about(finding, outcome)]
    foretold = {_place(finding) for finding in mine if finding.code in foretelling}
    refused = {_place(finding) for finding in mine if finding.code in refusing}

    def mark(finding: Finding) -> Finding:
        if finding.code in foretelling:
            if _place(finding) in refused:
                return _marked(finding, CONFIRMED)
            return _contradicted(finding, outcome) if outcome.status == "accepted" else finding
        if finding.code in refusing:
            return _marked(finding, FORESEEN if _place(finding) in foretold else UNFORESEEN)
        return finding

    return tuple(mark(each) if _is_about(each, outcome) else each for each in findings)


def _is_about(finding: Finding, outcome: Outcome) -> bool:
    answers_for = known_backends()[outcome.backend].answers_for
    right_runtime = finding.runtime is None or finding.runtime in answers_for
    return right_runtime and finding.target in (None, outcome.target)


def _place(finding: Finding) -> tuple[object, ...]:
    return finding.location.graph, finding.location.node, finding.location.index


def _marked(finding: Finding, verdict: str) -> Finding:
    return replace(finding, evidence={**finding.evidence, EVIDENCE: verdict})


def _contradicted(finding: Finding, outcome: Outcome) -> Finding:
    """What the runtime takes is no error, whatever else may be said against it."""
    compiler = f"{title_of(outcome.backend)} {outcome.version}"
    return replace(
        _marked(finding, CONTRADICTED),
        severity=Severity.INFO,
        message=f"{finding.message} {compiler} took the model all the same.",
    )
