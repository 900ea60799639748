"""Budgets of a configuration, as options of the rules that check them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from modellint.base.errors import UsageError
from modellint.base.expressions import late
from modellint.config.load import Config
from modellint.config.settings import Budgets, kebab
from modellint.planning.values import quoted
from modellint.rules.rule import Rule
from modellint.targets import parse_bytes

BUDGET_FAMILY = "budget"
_PERCENT = late(r"(\d+(?:\.\d+)?) ?%")
_COUNT = late(r"(\d{1,30}(?:\.\d{1,30})?)\s*([kKMGTB]?)")
_DURATION = late(r"(\d{1,30}(?:\.\d{1,30})?)\s*(s|ms|us|µs|ns)")
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_FACTORS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12}


def with_budgets(
    options: Mapping[str, Mapping[str, Any]],
    rules: Iterable[Rule],
    limits: Mapping[str, float],
) -> Mapping[str, Mapping[str, Any]]:
    """Add budgets to the options: each is an option of the same name of the rule that checks it."""
    if not limits:
        return options
    merged = {code: dict(values) for code, values in options.items()}
    for rule in rules:
        mine = {name: limits[kebab(name)] for name in rule.options if kebab(name) in limits}
        if rule.family == BUDGET_FAMILY and mine:
            merged.setdefault(rule.code, {}).update(mine)
    return merged


def budget_limits(budgets: Budgets, config: Config, keys: tuple[str, ...]) -> dict[str, float]:
    """Return the limits that are set, as plain numbers: counts, bytes, seconds."""
    stated = {kebab(item.name): getattr(budgets, item.name) for item in fields(budgets)}
    limits = {}
    for key, value in stated.items():
        if value is not None:
            try:
                limits[key] = _quantity(key, value)
            except UsageError as error:
                raise config.mistake((*keys, key), str(error)) from None
    return limits


def _quantity(key: str, value: float | str) -> float:
    if key == "min-share-on-accelerator":
        return _share(value)
    if isinstance(value, (int, float)):
        return value
    if key in ("max-file-size", "max-vram"):
        return parse_bytes(value)
    if key == "max-latency-bound":
        duration = _DURATION.fullmatch(value)
        if duration is None:
            raise UsageError(f"invalid duration {quoted(value)} (example: 5ms)")
        return float(duration[1]) * _SECONDS[duration[2]]
    count = _COUNT.fullmatch(value)
    if count is None:
        raise UsageError(f"invalid number {quoted(value)} (example: 25M)")
    return round(float(count[1]) * _FACTORS[count[2]])


def _share(value: float | str) -> float:
    percent = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    share = float(percent[1]) / 100 if percent is not None else value
    if isinstance(share, str) or not 0 <= share <= 1:
        raise UsageError(f"invalid share {quoted(value)} (examples: '95%', 0.95)")
    return share
