"""Assumptions of a run, in one sentence for all deployments that share them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modellint.base.text import counted, listed
from modellint.results.finding import Assumptions, DeploymentPart, Result

MOST_SENTENCES = 4
MOST_DEPLOYMENTS = 4
"""Deployments named in a sentence."""
UNUSUAL = ("dla",)
"""Parts that most devices do not have; nothing is said of their absence."""


def sentences(result: Result) -> Iterator[str]:
    """Iterate over a sentence for all deployments of which the same was assumed."""
    alike: dict[str, list[str]] = {}
    for each in result.assumptions:
        alike.setdefault(_assumed(each), []).append(each.deployment)
    for assumed, deployments in list(alike.items())[:MOST_SENTENCES]:
        yield _sentence(_listed(deployments), assumed)
    more = sum(map(len, list(alike.values())[MOST_SENTENCES:]))
    if more > 0:
        yield f"For {counted(more, 'more deployment')}, which the JSON report lists."


def sentence(assumptions: Assumptions) -> str:
    """Return ``For a10 (tensorrt 11.5, fp16). Assumed: precision (--precision), …``."""
    return _sentence(assumptions.deployment, _assumed(assumptions))


def _sentence(deployments: str, assumed: str) -> str:
    said = f"For {deployments}."
    return f"{said} Assumed: {assumed}." if assumed else said


def _listed(deployments: Sequence[str]) -> str:
    """Return ``a10, l4 and 54 more (tensorrt 11.5, fp16)``."""
    devices, tails = zip(*(each.partition(" (")[::2] for each in deployments), strict=True)
    if len(set(tails)) > 1 or not tails[0]:
        return listed(deployments, MOST_DEPLOYMENTS)
    return f"{listed(devices, MOST_DEPLOYMENTS)} ({tails[0]}"


def _assumed(assumptions: Assumptions) -> str:
    """Return ``precision (--precision), the model's batch (--batch)``."""
    return ", ".join(
        f"{_kind(name, part)} ({part.option})"
        for name, part in assumptions.parts.items()
        if part.origin == "assumed" and name not in UNUSUAL
    )


def _kind(name: str, part: DeploymentPart) -> str:
    if part.value is not None:
        return name
    return f"any {name}" if name in ("device", "runtime") else f"the model's {name}"
