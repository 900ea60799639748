"""Comparison of the rules' predictions with the outcomes of probes."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import replace

from modellint.probes.backends import known_backends
from modellint.probes.outcome import Outcome
from modellint.results.finding import Finding, Severity
from modellint.runtimes import title_of

CONFIRMED, CONTRADICTED = "confirmed", "contradicted"
"""Verdicts on a rule's prediction."""
FORESEEN, UNFORESEEN = "foreseen", "unforeseen"
"""Verdicts on a runtime's refusal."""
EVIDENCE = "probe"
"""Evidence key of the verdict."""


def confront(
    findings: tuple[Finding, ...],
    outcomes: Iterable[Outcome],
    predicting: AbstractSet[str],
    refusing: AbstractSet[str],
) -> tuple[Finding, ...]:
    """Mark findings of `predicting` rules, which predict that the runtime refuses the model.

    Findings of `refusing` rules report actual refusals. A refusal elsewhere proves nothing about
    a place that the runtime did not reach.
    """
    for outcome in outcomes:
        if outcome.asked and not outcome.died:
            findings = _confront_one(findings, outcome, predicting, refusing)
    return findings


def _confront_one(
    findings: tuple[Finding, ...],
    outcome: Outcome,
    predicting: AbstractSet[str],
    refusing: AbstractSet[str],
) -> tuple[Finding, ...]:
    mine = [finding for finding in findings if _is_about(finding, outcome)]
    predicted = {_place(finding) for finding in mine if finding.code in predicting}
    refused = {_place(finding) for finding in mine if finding.code in refusing}

    def mark(finding: Finding) -> Finding:
        if finding.code in predicting:
            if _place(finding) in refused:
                return _marked(finding, CONFIRMED)
            return _contradicted(finding, outcome) if outcome.status == "accepted" else finding
        if finding.code in refusing:
            return _marked(finding, FORESEEN if _place(finding) in predicted else UNFORESEEN)
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
    """Downgrade to info: what the runtime accepts is not an error."""
    compiler = f"{title_of(outcome.backend)} {outcome.version}"
    return replace(
        _marked(finding, CONTRADICTED),
        severity=Severity.INFO,
        message=f"{finding.message} However, {compiler} accepted the model.",
    )
