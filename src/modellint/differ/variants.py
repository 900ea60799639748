"""Evaluations of models that are compared, and trade-offs between several of them."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from modellint.evaluation.results import Evaluation, Metric
from modellint.evaluation.tradeoffs import Axis, Variant, main_metric, pareto_optimal, per_million
from modellint.results.difference import (
    Difference,
    MetricChange,
    TradeOffs,
    VariantFigures,
)
from modellint.targets import Target

_LOWER = ("bytes", "memory", "seconds")


def metric_changes(old: Evaluation, new: Evaluation) -> list[MetricChange]:
    """Pair the metrics of two evaluations, in their original order."""
    names = dict.fromkeys(metric.name for each in (old, new) for metric in each.metrics)
    return [_change(name, old.get(name), new.get(name)) for name in names]


def _change(name: str, old: Metric | None, new: Metric | None) -> MetricChange:
    error = None
    if old is not None and new is not None and old.error is not None and new.error is not None:
        error = sqrt(old.error**2 + new.error**2)
    known = new or old
    return MetricChange(
        name,
        old.value if old is not None else None,
        new.value if new is not None else None,
        known.better if known is not None else None,
        error,
    )


def trade_offs(
    differences: Sequence[Difference], evaluations: Sequence[Evaluation], target: Target | None
) -> TradeOffs:
    """Compare the first model of all differences, and the second of each."""
    metric = main_metric(evaluations) if evaluations else None
    values = [_value(each, metric) for each in evaluations] or [None] * (len(differences) + 1)
    figures = [_figures(differences[0], 0, values[0])]
    figures += [
        _figures(each, 1, value) for each, value in zip(differences, values[1:], strict=True)
    ]
    axes = [Axis(name, "lower") for name in _LOWER]
    if metric is not None and metric.better is not None:
        axes.append(Axis("metric", metric.better))
    optimal = {id(each) for each in pareto_optimal(figures, axes)}
    price = target.price if target is not None else None
    shown = None
    if price is not None:
        shown = f"{price.per_hour:g} {price.currency} an hour ({price.offer}; {price.date})"
    return TradeOffs(
        metric=metric.name if metric is not None else None,
        better=metric.better if metric is not None else None,
        target=target.id if target is not None else None,
        price=f"{shown}, {price.source}" if price is not None else None,
        currency=price.currency if price is not None else None,
        variants=[
            _row(each, price.per_hour if price else None, id(each) in optimal) for each in figures
        ],
    )


def _value(evaluation: Evaluation, metric: Metric | None) -> float | None:
    found = evaluation.get(metric.name) if metric is not None else None
    return found.value if found is not None else None


def _figures(difference: Difference, side: int, metric: float | None) -> Variant:
    file = next((each for each in difference.figures if each.name == "file-bytes"), None)
    device = next(iter(difference.devices), None)
    known = {
        "metric": metric,
        "bytes": (file.old, file.new)[side] if file is not None else None,
        "memory": device.memory[side] if device is not None else None,
        "seconds": device.seconds[side] if device is not None else None,
    }
    path = (difference.old, difference.new)[side].path
    return Variant(path, {name: value for name, value in known.items() if value is not None})


def _row(variant: Variant, price: float | None, is_optimal: bool) -> VariantFigures:
    figures = variant.figures
    seconds = figures.get("seconds")
    cost = per_million(price, seconds) if price is not None and seconds is not None else None
    return VariantFigures(
        name=variant.name,
        metric=figures.get("metric"),
        bytes=_whole(figures.get("bytes")),
        memory=_whole(figures.get("memory")),
        seconds=seconds,
        cost=cost,
        is_optimal=is_optimal,
    )


def _whole(figure: float | None) -> int | None:
    return int(figure) if figure is not None else None
