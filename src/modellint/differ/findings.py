"""Findings that are new, gone, or in both models, as baselines tell them apart: by fingerprint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from modellint.results.difference import FindingChange, FindingDifference
from modellint.results.finding import Finding


def finding_difference(
    old: Iterable[Finding],
    new: Iterable[Finding],
    twins: Mapping[str, str],
    *,
    reads_weights: bool,
) -> FindingDifference:
    """Compare two models' findings, without those that are suppressed.

    A fingerprint covers the surroundings. Where these have changed, findings of one rule are the
    same at the same place; `twins` are the names of places in the new model by their old ones.
    """
    before, after = ([f for f in found if f.suppressed is None] for found in (old, new))
    come, gone = _unpaired(before, after, lambda f: f.fingerprint, lambda f: f.fingerprint)
    come, gone = _unpaired(gone, come, lambda f: twins.get(_place(f), _place(f)), _place)
    fresh = {id(finding) for finding in come}
    return FindingDifference(
        new=[_brief(finding) for finding in come],
        gone=[_brief(finding) for finding in gone],
        still=len(after) - len(come),
        both=[_brief(finding) for finding in after if id(finding) not in fresh],
        reads_weights=reads_weights,
    )


def _unpaired(
    old: list[Finding],
    new: list[Finding],
    tell_old: Callable[[Finding], str],
    tell_new: Callable[[Finding], str],
) -> tuple[list[Finding], list[Finding]]:
    """Return the new and the old findings without those that both models have."""
    olds = [(*_kind(finding), tell_old(finding)) for finding in old]
    news = [(*_kind(finding), tell_new(finding)) for finding in new]
    return _beyond(new, news, olds), _beyond(old, olds, news)


def _beyond(
    found: list[Finding], keys: list[tuple[str | None, ...]], others: list[tuple[str | None, ...]]
) -> list[Finding]:
    """Return the findings whose key the others lack, or have fewer times."""
    left = Counter(others)
    beyond = []
    for finding, key in zip(found, keys, strict=True):
        left[key] -= 1
        if left[key] < 0:
            beyond.append(finding)
    return beyond


def _kind(finding: Finding) -> tuple[str | None, ...]:
    return finding.code, finding.variant, finding.target


def _place(finding: Finding) -> str:
    return finding.location.label


def _brief(finding: Finding) -> FindingChange:
    return FindingChange(
        finding.code,
        str(finding.severity),  # type: ignore[arg-type]
        finding.message,
        finding.location.label,
        finding.fingerprint,
    )
