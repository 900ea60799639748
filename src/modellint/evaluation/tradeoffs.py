"""Variants of a model, and which of them no other variant beats in everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modellint.base.records import dataclass
from modellint.evaluation.results import Better, Evaluation, Metric


@dataclass(frozen=True, slots=True)
class Axis:
    """A figure to compare variants by."""

    name: str
    better: Better


@dataclass(frozen=True, slots=True)
class Variant:
    """A model with its figures; those that are not known are absent."""

    name: str
    figures: Mapping[str, float]


def pareto_optimal(variants: Sequence[Variant], axes: Sequence[Axis]) -> list[Variant]:
    """Return the variants that no other one equals or beats on each axis, and beats on one.

    A figure that a variant lacks counts neither for nor against it; one that lacks all is left out.
    """
    known = [each for each in variants if any(axis.name in each.figures for axis in axes)]
    return [
        each
        for each in known
        if not any(_beats(other, each, axes) for other in known if other is not each)
    ]


def _beats(one: Variant, other: Variant, axes: Sequence[Axis]) -> bool:
    gains = [
        _gain(one.figures[axis.name], other.figures[axis.name], axis.better)
        for axis in axes
        if axis.name in one.figures and axis.name in other.figures
    ]
    lacks = any(axis.name in other.figures and axis.name not in one.figures for axis in axes)
    return not lacks and bool(gains) and min(gains) >= 0 and max(gains) > 0


def _gain(one: float, other: float, better: Better) -> float:
    return one - other if better == "higher" else other - one


_PREFERRED = ("fitness", "mAP50-95", "mAP_0.5:0.95", "accuracy_top1", "accuracy")


def main_metric(evaluations: Sequence[Evaluation]) -> Metric | None:
    """Return the metric to compare variants by, among those that all of them have.

    It is a tool's own summary if there is one, or else the first of which higher is better.
    """
    first, others = evaluations[0], evaluations[1:]
    shared = [
        metric
        for metric in first.metrics
        if metric.better is not None and all(each.get(metric.name) for each in others)
    ]
    for prefix in _PREFERRED:
        for metric in shared:
            if metric.name.startswith(prefix):
                return metric
    return next(
        (metric for metric in shared if metric.better == "higher"), next(iter(shared), None)
    )


def per_million(price_per_hour: float, seconds: float) -> float:
    """Return the price of a million runs, one after the other, that each take so many seconds."""
    return price_per_hour / 3600 * seconds * 1e6
