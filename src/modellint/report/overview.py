"""One-line summary of a run."""

from __future__ import annotations

from modellint.base.text import counted
from modellint.results.finding import Result, Severity

NOUNS = {
    Severity.ERROR: ("error", "errors"),
    Severity.WARNING: ("warning", "warnings"),
    Severity.INFO: ("info", "infos"),
}


def overview(result: Result) -> str:
    """Return `2 errors, 1 warning in 7 models (3 findings suppressed)`."""
    models = counted(len(result.models), "model")
    hidden = len(result.findings) - len(result.active)
    tail = f" ({counted(hidden, 'finding')} suppressed)" if hidden else ""
    return f"{tally(result) or 'No findings'} in {models}{tail}"


def tally(result: Result) -> str:
    """Return `2 errors, 1 warning`; empty if no finding counts."""
    numbers = ((result.count(severity), NOUNS[severity]) for severity in NOUNS)
    return ", ".join(counted(number, *noun) for number, noun in numbers if number)
