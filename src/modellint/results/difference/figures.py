"""Figures, metrics and budgets of both models."""

from __future__ import annotations

from typing import Annotated, Literal

from modellint.base.records import dataclass
from modellint.results.inspection import Verdict


@dataclass(frozen=True, slots=True)
class FigureChange:
    """A figure of `modellint inspect` in each model."""

    name: Annotated[
        str,
        "parameters, macs, nodes, file-bytes, weight-bytes, kv-cache-per-token.",
    ]
    unit: Annotated[Literal["", "bytes"], "Empty for numbers."]
    old: int | None
    new: int | None


@dataclass(frozen=True, slots=True)
class DeviceDifference:
    """Memory and time for one deployment, as `modellint inspect` computes them."""

    target: Annotated[str | None, "The device's id; null without a target, for budgets."]
    device: str | None
    runtime: str | None
    precision: Annotated[list[str], "In the old and the new model."]
    memory: Annotated[list[int], "Expected bytes in all."]
    weights: Annotated[list[int], "Bytes as deployed."]
    activations: Annotated[list[int], "Bytes of activations at their peak, as expected."]
    verdict: Annotated[list[Verdict | None], "Whether they fit."]
    seconds: Annotated[list[float | None], "Lower bound on the time of a run."]


@dataclass(frozen=True, slots=True)
class MetricChange:
    """A metric of both models' evaluations."""

    name: str
    old: float | None
    new: float | None
    better: Annotated[Literal["higher", "lower"] | None, "Direction of an improvement."]
    error: Annotated[float | None, "Standard error of the difference, if both are stated."]


@dataclass(frozen=True, slots=True)
class BudgetCheck:
    """A limit on the growth of a figure."""

    name: str
    target: Annotated[str | None, "The device's id, for figures that depend on one."]
    old: float | None
    new: float | None
    limit: Annotated[str, "As it was given: +5%, +1MB."]
    most: Annotated[float | None, "The largest figure within the limit; null without an old one."]
    exceeded: bool
    unit: Literal["", "bytes", "seconds"]
