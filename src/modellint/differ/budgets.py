"""Limits on the growth of figures from one model to the next: ``params=+1%``, ``size=+2MB``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from modellint.base.errors import UsageError
from modellint.base.records import dataclass
from modellint.base.suggest import did_you_mean
from modellint.base.units import parse_bytes
from modellint.results.difference import BudgetCheck, DeviceDifference, Difference, MetricChange

Unit = Literal["", "bytes", "seconds"]
OldAndNew = tuple[float | None, float | None]
"""A figure of the old and of the new model."""

_LIMIT = re.compile(
    r"(?P<sign>[+-])\s*(?P<amount>\d{1,20}(?:\.\d{1,20})?)\s*(?P<unit>%|[a-zA-Zµ]*)"
)
_COUNTS = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12}
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_EXAMPLES: Mapping[Unit, str] = {"": "+1%, +10k", "bytes": "+1%, +2MB", "seconds": "+5%, +1ms"}
_SLACK = 1e-9
"""Tolerance for rounding, as a share of the limit."""

_FIGURES: Mapping[str, tuple[str, Unit]] = {
    "params": ("parameters", ""),
    "macs": ("macs", ""),
    "nodes": ("nodes", ""),
    "size": ("file-bytes", "bytes"),
    "weights": ("weight-bytes", "bytes"),
    "kv-cache": ("kv-cache-per-token", "bytes"),
}
"""Budgets by name: the figure, and its unit."""


def _both(values: Sequence[float | None]) -> OldAndNew:
    return values[0], values[1]


_OF_DEVICES: Mapping[str, tuple[Callable[[DeviceDifference], OldAndNew], Unit]] = {
    "memory": (lambda device: _both(device.memory), "bytes"),
    "activations": (lambda device: _both(device.activations), "bytes"),
    "latency": (lambda device: _both(device.seconds), "seconds"),
}
FINDINGS = "findings"
NAMES = (*_FIGURES, *_OF_DEVICES, FINDINGS)


@dataclass(frozen=True, slots=True)
class GrowthLimit:
    """Amount of a figure that the new model may have more; less, if negative."""

    text: str
    amount: float
    is_share: bool

    def most(self, old: float) -> float:
        return old * (1 + self.amount) if self.is_share else old + self.amount


def parse_limits(stated: Mapping[str, str], metrics: Sequence[str]) -> dict[str, GrowthLimit]:
    """Return the limits of figures, and of metrics by their names."""
    return {name: _limit(name, text, metrics) for name, text in stated.items()}


def _limit(name: str, text: str, metrics: Sequence[str]) -> GrowthLimit:
    known = (*NAMES, *metrics)
    if name not in known:
        hint = did_you_mean(name, known, f"budgets: {', '.join(known)}")
        raise UsageError(f"unknown budget {name!r}; {hint}")
    unit: Unit = _FIGURES[name][1] if name in _FIGURES else ""
    unit = _OF_DEVICES[name][1] if name in _OF_DEVICES else unit
    match = _LIMIT.fullmatch(text.strip())
    scale = _scale(match["unit"], unit) if match is not None else None
    if match is not None and not float(match["amount"]) and not match["unit"]:
        scale = 1.0
    if match is None or scale is None:
        raise UsageError(f"invalid budget {name}={text!r} (examples: {_EXAMPLES[unit]})")
    amount = float(match["sign"] + match["amount"]) * scale
    return GrowthLimit(text.strip(), amount, match["unit"] == "%")


def _scale(unit: str, kind: Unit) -> float | None:
    """Return the value of a unit; None if the figure is not measured in it."""
    if unit == "%":
        return 0.01
    if kind == "seconds":
        return _SECONDS.get(unit)
    if kind == "bytes":
        try:
            return float(parse_bytes(f"1{unit}"))
        except UsageError:
            return None
    return _COUNTS.get(unit)


def check_budgets(difference: Difference, limits: Mapping[str, GrowthLimit]) -> list[BudgetCheck]:
    """Compare the figures of two models with the limits."""
    return [check for name, limit in limits.items() for check in _checks(name, limit, difference)]


def _checks(name: str, limit: GrowthLimit, difference: Difference) -> Iterator[BudgetCheck]:
    if name in _FIGURES:
        key, unit = _FIGURES[name]
        found = next((each for each in difference.figures if each.name == key), None)
        yield _check(name, limit, (found.old, found.new) if found else (None, None), unit)
    elif name in _OF_DEVICES:
        numbers, unit = _OF_DEVICES[name]
        if name == "latency" and not any(device.target for device in difference.devices):
            raise UsageError("the budget 'latency' needs a target (example: -t a10)")
        for device in difference.devices:
            yield _check(name, limit, numbers(device), unit, device.target)
    elif name == FINDINGS:
        told = difference.findings
        counts = (len(told.gone) + told.still, len(told.new) + told.still) if told else (None, None)
        yield _check(name, limit, counts, "")
    else:
        metric = next((each for each in difference.metrics or () if each.name == name), None)
        if metric is not None:
            yield _check_metric(metric, limit)


def _check(
    name: str, limit: GrowthLimit, numbers: OldAndNew, unit: Unit, target: str | None = None
) -> BudgetCheck:
    old, new = numbers
    most = limit.most(old) if old is not None and new is not None else None
    exceeded = most is not None and new is not None and new > most + abs(most) * _SLACK
    return BudgetCheck(name, target, old, new, limit.text, most, exceeded, unit)


def _check_metric(metric: MetricChange, limit: GrowthLimit) -> BudgetCheck:
    """Check a metric: of one where higher is better, the limit is the least."""
    check = _check(metric.name, limit, (metric.old, metric.new), "")
    if metric.better != "higher" or check.most is None or check.new is None:
        return check
    falls_short = check.new < check.most - abs(check.most) * _SLACK
    return BudgetCheck(
        check.name, None, check.old, check.new, check.limit, check.most, falls_short, ""
    )
