"""Comparison of the work for inputs of two sizes, which no machine's speed changes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from modellint.base.garbage import no_garbage_collection

TOLERANCE = 4
"""Factor beyond proportion by which the work may grow, for what is measured around it."""
TRIES = 8
SHORTEST = 200_000
"""Nanoseconds that the clock can tell."""


def is_linear(work: Callable[[int], object], small: int = 2_000, factor: int = 16) -> bool:
    """Return True if the work grows about as much as the size.

    Quadratic work would be more by `factor` / `TOLERANCE`.
    """
    return grows_less(work, small, small * factor, factor * TOLERANCE)


def grows_less(work: Callable[[int], object], small: int, large: int, limit: float) -> bool:
    """Return True if the work for the large size is less than `limit` times that for the small.

    Other programs only ever make work seem longer, so the least of several times is compared.
    """
    least = {small: math.inf, large: math.inf}
    with no_garbage_collection():  # it would look at all that earlier tests have left
        for _ in range(TRIES):
            for size, before in least.items():
                least[size] = min(before, _nanoseconds(work, size))
            if least[large] < limit * least[small]:
                return True
    return False


def _nanoseconds(work: Callable[[int], object], size: int) -> float:
    started = time.process_time_ns()
    runs = 0
    while runs < 1 or time.process_time_ns() - started < SHORTEST:
        work(size)
        runs += 1
    return (time.process_time_ns() - started) / runs
