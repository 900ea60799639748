"""Comparison of the work for inputs of two sizes, which no machine's speed changes."""

from __future__ import annotations

import time
from collections.abc import Callable

TOLERANCE = 4
"""How many times more than in proportion the work may grow, for what is measured around it."""


def is_linear(work: Callable[[int], object], small: int = 2_000, factor: int = 16) -> bool:
    """Return True if the work grows about as much as the size; of several tries, one may do."""
    return any(_ratio(work, small, factor) < factor * TOLERANCE for _ in range(3))


def _ratio(work: Callable[[int], object], small: int, factor: int) -> float:
    return _seconds(work, small * factor) / _seconds(work, small)


def _seconds(work: Callable[[int], object], size: int) -> float:
    started = time.process_time_ns()
    runs = 0
    while runs < 1 or time.process_time_ns() - started < 200_000:  # what the clock can tell
        work(size)
        runs += 1
    return (time.process_time_ns() - started) / runs
