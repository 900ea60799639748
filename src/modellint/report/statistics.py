"""Number of findings and time per rule, for `--statistics`."""

from __future__ import annotations

from collections import Counter

from modellint.base.records import dataclass
from modellint.results.finding import Result


@dataclass(frozen=True, slots=True)
class RuleRow:
    """Statistics of a rule, or of a stage such as ``(read)``."""

    code: str
    rule: str
    findings: int
    suppressed: int
    seconds: float | None
    """None if the findings came from the cache, without a time."""


def statistics(result: Result) -> list[RuleRow]:
    """Return rules and stages, by number of findings and then by time."""
    active = Counter(finding.code for finding in result.active)
    found = Counter(finding.code for finding in result.findings)
    names = {finding.code: finding.rule for finding in result.findings}
    names |= {code: rule.name for code, rule in result.rules.items()}
    rows = [
        RuleRow(
            code=code,
            rule=names.get(code, ""),
            findings=active[code],
            suppressed=found[code] - active[code],
            seconds=result.timings.get(code),
        )
        for code in {*result.timings, *found}
    ]
    return sorted(rows, key=lambda row: (-row.findings, -(row.seconds or 0), row.code))
