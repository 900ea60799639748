"""`--statistics`: how often each rule fired, and how long it took."""

from __future__ import annotations

from collections import Counter

from modellint.finding import Result

MOST_SILENT = 10
"""Rules without a finding that are shown for their time."""


def statistics(result: Result) -> str:
    """A table by rule: the most frequent first, then the slowest of the silent ones."""
    counts: Counter[str] = Counter()
    for finding in result.active:
        counts[finding.code] += finding.count
    times = result.timings
    fired = sorted(counts, key=lambda code: (-counts[code], code))
    silent = sorted((code for code in times if code not in counts), key=lambda code: -times[code])
    rows = [(counts[code], times.get(code), _name(result, code)) for code in fired]
    rows += [(0, times[code], _name(result, code)) for code in silent[:MOST_SILENT]]
    lines = [f"{count:>7}  {_milliseconds(time):>10}  {name}" for count, time, name in rows]
    hidden = len(silent) - MOST_SILENT
    if hidden > 0:
        lines.append(f"{'':>7}  {'':>10}  and {hidden} faster ones without findings")
    return "\n".join([f"{'count':>7}  {'time':>10}  rule", *lines, ""])


def _name(result: Result, code: str) -> str:
    rule = result.rules.get(code)
    return f"{code} {rule.name}" if rule is not None else code


def _milliseconds(seconds: float | None) -> str:
    return "cached" if seconds is None else f"{seconds * 1000:.1f} ms"
