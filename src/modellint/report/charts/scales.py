"""Scales of axes, with ticks at round numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from modellint.base.records import dataclass
from modellint.base.text import percent

Unit = Literal["count", "bytes", "seconds", "share"]

_BYTES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_COUNTS = ("", "k", "M", "G", "T", "P", "E")
_SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps numbers to pixels. Numbers outside of it are at its ends."""

    low: float
    high: float
    start: float
    end: float
    ticks: Sequence[tuple[float, str]]
    is_log: bool = False

    def __call__(self, value: float) -> float:
        if self.is_log:
            low, high = math.log(self.low), math.log(self.high)
            at = math.log(min(max(value, self.low), self.high))
        else:
            low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        share = (at - low) / (high - low) if high > low else 0.0
        return self.start + share * (self.end - self.start)


def linear(
    most: float,
    start: float,
    end: float,
    unit: Unit = "count",
    ticks: int = 5,
    *,
    exact: bool = False,
) -> Scale:
    """Return a scale from 0 to the first tick that is not below `most`, or `exact` to that."""
    size, name = _unit(most, unit)
    step = _step(most / size / ticks) if most > 0 else 1.0
    count = max(math.ceil(most / size / step - 1e-9), 1)
    marks = [(at * step * size, f"{at * step:g}") for at in range(count + 1)]
    if exact:
        inside = [mark for mark in marks if mark[0] <= most] or marks[:1]
        return Scale(0, most or 1.0, start, end, inside)
    last, label = marks[-1]
    gap = "" if unit == "share" else " "
    marks[-1] = (last, f"{label}{gap}{name}".strip())
    return Scale(0, last, start, end, marks)


def logarithmic(
    low: float, high: float, start: float, end: float, unit: Unit = "count", base: int = 10
) -> Scale:
    """Return a scale from a power of the base to another, with labels that do not touch."""
    first = math.floor(math.log(max(low, 1e-18), base) + 1e-9)
    last = max(math.ceil(math.log(max(high, 1e-18), base) - 1e-9), first + 1)
    room = max(int((end - start) / 62 if end > start else (start - end) / 30), 1)
    every = math.ceil((last - first) / room)
    powers = [float(base) ** at for at in range(first, last + 1, every)]
    is_whole = base == 2 and unit == "count" and powers[0] >= 1
    marks = [(each, f"{each:,.0f}" if is_whole else short(each, unit)) for each in powers]
    return Scale(float(base) ** first, float(base) ** last, start, end, marks, is_log=True)


def fine_logarithmic(
    low: float, high: float, start: float, end: float, unit: Unit = "count"
) -> Scale:
    """Return a logarithmic scale for less than a few decades, with ticks at 1, 2 and 5."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    round_ = [step * 10.0**power for power in range(first, last + 1) for step in (1, 2, 5)]
    below = max((each for each in round_ if each <= low * (1 + 1e-9)), default=round_[0])
    above = min((each for each in round_ if each >= high * (1 - 1e-9)), default=round_[-1])
    marks = [(each, short(each, unit)) for each in round_ if below <= each <= above]
    return Scale(below, max(above, below * 2), start, end, marks, is_log=True)


def short(value: float, unit: Unit = "count", digits: int = 3) -> str:
    """Return a number with its unit, as short as an axis needs it."""
    if unit == "share":
        return percent(value)
    size, name = _unit(abs(value), unit)
    return f"{_rounded(value / size, digits)} {name}".strip()


def rate(number: float | None) -> str:
    """Return a number of tokens per second; nothing if it is unknown."""
    if not number:
        return ""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _rounded(value: float, digits: int) -> str:
    return f"{value:.0f}" if abs(value) >= 10 ** (digits - 1) else f"{value:.{digits}g}"


def _unit(value: float, unit: Unit) -> tuple[float, str]:
    """Return the size and name of the unit in which a number has one to three digits."""
    if unit == "share":
        return 0.01, "%"
    if unit == "seconds":
        return next((each for each in _SECONDS if value >= each[0]), _SECONDS[-1])
    base, names = (1024.0, _BYTES) if unit == "bytes" else (1000.0, _COUNTS)
    power = min(max(int(math.log(value * 1.0005, base)), 0), len(names) - 1) if value >= 1 else 0
    return base**power, names[power]


def _step(least: float) -> float:
    """Return the smallest round number that is not below another."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in _STEPS if step * power >= least * (1 - 1e-9))
