"""Parsing of Vela's output: the operators that it leaves to the CPU, and why."""

from __future__ import annotations

import re

from modellint.base.records import dataclass

_REFUSAL = re.compile(
    r"Warning \(supported operators\) operator: (?P<op>\w+), ofm: '(?P<output>.*)'\n"
    r"Reason: (?P<reason>.*)"
)
_INVALID = re.compile(
    r"(?P<op>\w+) '(?P<output>.*)' Does not have valid TFLite Semantics\.\s+- (?P<reason>.*)"
)


@dataclass(frozen=True, slots=True)
class LeftOperator:
    """An operator that is left to the CPU."""

    op: str
    output: str
    """Name of its first output."""
    reason: str


def refusals(log: str) -> list[LeftOperator]:
    """Return each operator once, with its first reason."""
    found: dict[tuple[str, str], LeftOperator] = {}
    for match in _REFUSAL.finditer(log):
        op, output, reason = match["op"], match["output"], match["reason"].strip()
        found.setdefault((op, output), LeftOperator(op, output, reason))
    return list(found.values())


def failure(text: str) -> str:
    """Return the reason why Vela cannot compile, from its error."""
    invalid = _INVALID.search(text)
    if invalid is not None:
        return f"{invalid['op']} '{invalid['output']}': {invalid['reason'].strip()}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
