"""Assumptions of a run, in one sentence per deployment."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.finding import Assumptions, DeploymentPart, Result

MOST_DEPLOYMENTS = 4
UNUSUAL = ("dla",)
"""Parts that most devices do not have; nothing is said of their absence."""


def sentences(result: Result) -> Iterator[str]:
    """Iterate over a sentence per deployment, of which a run can have more than a hundred."""
    for each in result.assumptions[:MOST_DEPLOYMENTS]:
        yield sentence(each)
    more = len(result.assumptions) - MOST_DEPLOYMENTS
    if more > 0:
        yield f"For {more} more deployments, which the JSON report lists."


def sentence(assumptions: Assumptions) -> str:
    """Return ``For a10 (tensorrt 11.5, fp16). Assumed: precision (--precision), …``."""
    assumed = [
        f"{_kind(name, part)} ({part.option})"
        for name, part in assumptions.parts.items()
        if part.origin == "assumed" and name not in UNUSUAL
    ]
    said = f"For {assumptions.deployment}."
    return f"{said} Assumed: {', '.join(assumed)}." if assumed else said


def _kind(name: str, part: DeploymentPart) -> str:
    if part.value is not None:
        return name
    return f"any {name}" if name in ("device", "runtime") else f"the model's {name}"
