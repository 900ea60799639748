"""Statistics of a value in a graph: its range, and its unused channels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modellint.base.records import dataclass


@dataclass(frozen=True, slots=True)
class Activity:
    """Elements of one value, in all runs."""

    elements: int
    minimum: float
    maximum: float
    """Of the finite elements; NaN without any."""
    zeros: int
    nonfinite: int
    channels: int
    dead: tuple[int, ...]
    """Channels that are zero in all runs."""
    clipped: int | None = None
    """Elements outside the range of the quantizer that reads it; None without a quantizer."""


class Observer:
    """Collects an `Activity` over several runs."""

    def __init__(self, axis: int | None, bounds: tuple[float, float] | None = None) -> None:
        self._axis = axis
        self._bounds = bounds
        self._elements = self._zeros = self._nonfinite = self._clipped = 0
        self._minimum, self._maximum = math.inf, -math.inf
        self._alive: NDArray[np.bool_] | None = None

    def add(self, array: NDArray[Any]) -> None:
        if array.dtype.kind in "USOc" or not array.size:
            return
        numbers = array if array.dtype.kind in "biuf" else array.astype(np.float32)
        self._elements += array.size
        self._zeros += int(array.size - np.count_nonzero(numbers))
        low, high = float(numbers.min()), float(numbers.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            finite = numbers[np.isfinite(numbers)]
            self._nonfinite += int(array.size - finite.size)
            low = float(finite.min()) if finite.size else math.inf
            high = float(finite.max()) if finite.size else -math.inf
        self._minimum, self._maximum = min(self._minimum, low), max(self._maximum, high)
        if self._bounds is not None and (low < self._bounds[0] or high > self._bounds[1]):
            outside = (numbers < self._bounds[0]) | (numbers > self._bounds[1])
            self._clipped += int(np.count_nonzero(outside))
        self._note_channels(numbers)

    def _note_channels(self, numbers: NDArray[Any]) -> None:
        if self._axis is None or not -numbers.ndim <= self._axis < numbers.ndim:
            return
        axis = self._axis % numbers.ndim
        others = tuple(other for other in range(numbers.ndim) if other != axis)
        alive = np.asarray(numbers.any(axis=others))
        if self._alive is None:
            self._alive = alive
        elif self._alive.shape == alive.shape:
            self._alive |= alive

    def result(self) -> Activity:
        alive = self._alive
        dead = () if alive is None else tuple(np.flatnonzero(~alive).tolist())
        is_there = self._minimum <= self._maximum
        return Activity(
            self._elements,
            self._minimum if is_there else math.nan,
            self._maximum if is_there else math.nan,
            self._zeros,
            self._nonfinite,
            0 if alive is None else alive.size,
            dead,
            None if self._bounds is None else self._clipped,
        )
