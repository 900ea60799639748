"""Median, spread and confidence interval of the median, without assuming a distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence

from modellint.base.records import dataclass
from modellint.results.measured import NARROW, RunSpeed, RunTimes

CONFIDENCE = 0.9
"""Least probability of an interval, where there are enough rounds for it."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Interval of a median, and the probability that the median is in it."""

    low: float
    high: float
    confidence: float

    def is_narrow(self, median: float) -> bool:
        return self.high - self.low <= NARROW * median


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile of sorted values, interpolated between neighbors."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def median(values: Sequence[float]) -> float:
    return quantile(sorted(values), 0.5)


def interval(values: Sequence[float]) -> Interval:
    """Return the interval of the median of independent values, from their order alone.

    The median of what they are drawn from is below all of them with a probability of 1/2^n, and
    above likewise: the extremes enclose it with 1 - 2/2^n. With many values, some are left out.
    """
    ordered = sorted(values)
    count, cut = len(ordered), 0
    outside = 1.0
    while 2 * (cut + 1) < count:
        wider = outside + math.comb(count, cut + 1)
        if 1 - 2 * wider / 2**count < CONFIDENCE:
            break
        outside, cut = wider, cut + 1
    confidence = max(0.0, 1 - 2 * outside / 2**count)
    return Interval(ordered[cut], ordered[count - 1 - cut], confidence)


def summary(rounds: Sequence[Sequence[float]]) -> RunTimes:
    """Return the figures of several rounds, each the seconds of inferences in a process.

    Inferences of one process resemble each other, so that the interval comes from rounds.
    """
    ordered = sorted(second for each in rounds for second in each)
    medians = [median(each) for each in rounds]
    middle = median(medians)
    found = interval(medians)
    return RunTimes(
        count=len(ordered),
        median=middle,
        mean=math.fsum(ordered) / len(ordered),
        minimum=ordered[0],
        p10=quantile(ordered, 0.1),
        p90=quantile(ordered, 0.9),
        p99=quantile(ordered, 0.99),
        low=found.low,
        high=found.high,
        confidence=found.confidence,
        narrow=found.is_narrow(middle) and len(medians) > 1,
        rounds=tuple(medians),
    )


def speed(tokens: int, rounds: Sequence[Sequence[float]]) -> RunSpeed:
    """Return the speed of several rounds, each the tokens per second of its requests."""
    medians = [median(each) for each in rounds]
    found = interval(medians)
    every = sorted(number for each in rounds for number in each)
    return RunSpeed(tokens, median(medians), found.low, found.high, quantile(every, 0.1))
