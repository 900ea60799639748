"""Figures of how far two arrays differ."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modellint.base.records import dataclass

PIECE = 1 << 16
"""Elements that are compared at once: as many as a processor's cache holds."""
HIDING = -9999.0
"""Scores below which attention hides a token."""
NEGLIGIBLE = 1e-3
"""Elements below this share of the root mean square count as that large in relative errors."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """Difference of an array from another, which it is measured against.

    Numbers that are not finite on either side count in `same_nonfinite` alone.
    """

    elements: int
    bitwise: bool
    """True if type, shape and every bit are equal."""
    differing: int
    """Number of elements that differ."""
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    max_abs: float = 0.0
    mean_abs: float = 0.0
    max_relative: float = 0.0
    """Largest difference relative to the element, or to a thousandth of the root mean square."""
    to_range: float = 0.0
    """Largest difference relative to the largest magnitude."""
    cosine: float = 1.0
    sqnr: float = math.inf
    """Signal to quantization noise in dB: infinite if equal, 0 if the noise is as large."""
    top1: float | None = None
    """Share of rows whose largest element is the same one; None without rows of numbers."""
    same_nonfinite: bool = True
    """True if NaN and infinities are in the same places."""

    @property
    def comparable(self) -> bool:
        """True if the shapes are equal; the figures are meaningless otherwise."""
        return self.shapes[0] == self.shapes[1]


def compare(old: NDArray[Any], new: NDArray[Any]) -> Deviation:
    """Compare `new` with the reference `old`."""
    tally = Tally()
    tally.add(old, new)
    return tally.result()


class Tally:
    """Differences of several pairs of arrays, such as one value in several runs."""

    def __init__(self, *, detailed: bool = True) -> None:
        """Without `detailed`, as for values in the middle, leave out relative errors and top 1,
        and take all that hides a token for the same: minus infinity, or a large number."""
        self._detailed = detailed
        self._sums = _Sums()
        self._elements = self._differing = 0
        self._same_bits = True
        self._shapes: tuple[tuple[int, ...], tuple[int, ...]] | None = None
        self._max_relative = 0.0
        self._rows = self._agreed = 0

    def add(self, old: NDArray[Any], new: NDArray[Any]) -> None:
        """Add an array and its reference; different shapes outweigh everything."""
        if self._shapes is None or old.shape != new.shape:
            self._shapes = (old.shape, new.shape)
        self._elements += max(old.size, new.size)
        if old.shape != new.shape:
            self._same_bits = False
            self._differing += max(old.size, new.size)
        elif not (_is_number(old) and _is_number(new)):
            self._differing += int(np.count_nonzero(old.astype(str) != new.astype(str)))
            self._same_bits &= old.dtype.kind == new.dtype.kind
        else:
            self._add_numbers(old, new)

    def _add_numbers(self, old: NDArray[Any], new: NDArray[Any]) -> None:
        a, b = old.reshape(-1), new.reshape(-1)
        own = _Sums()
        for start in range(0, a.size, PIECE):
            pieces = a[start : start + PIECE], b[start : start + PIECE]
            own.add(*(pieces if self._detailed else _without_masks(*pieces)))
        self._same_bits &= old.dtype == new.dtype
        self._sums.include(own)
        if not self._detailed:
            return
        if own.differing:
            typical = math.sqrt(own.signal / max(old.size, 1))
            self._max_relative = max(self._max_relative, _max_relative(a, b, typical))
        agreed, rows = _top1(old, new)
        self._agreed += agreed
        self._rows += rows

    def result(self) -> Deviation:
        """Return the figures over all pairs."""
        sums, count = self._sums, max(self._elements, 1)
        shapes = self._shapes or ((), ())
        differing = self._differing + sums.differing
        if shapes[0] != shapes[1]:
            nothing = -math.inf
            return Deviation(
                self._elements, False, differing, shapes, cosine=0.0, sqnr=nothing, top1=0.0
            )
        without_numbers = self._differing > 0
        return Deviation(
            self._elements,
            self._same_bits and sums.same_bits and not self._differing,
            differing,
            shapes,
            max_abs=sums.max_abs,
            mean_abs=sums.sum_abs / count,
            max_relative=self._max_relative,
            to_range=sums.max_abs / sums.peak if sums.peak else _all_or_nothing(sums.max_abs),
            cosine=0.0 if without_numbers else _cosine(sums),
            sqnr=0.0 if without_numbers else _db(sums.signal, sums.noise),
            top1=self._agreed / self._rows if self._rows else None,
            same_nonfinite=sums.same_nonfinite,
        )


class _Sums:
    """Sums over all finite elements, in double precision."""

    def __init__(self) -> None:
        self.signal = self.noise = self.product = self.other = self.sum_abs = 0.0
        self.max_abs = self.peak = 0.0
        self.differing = 0
        self.same_bits = self.same_nonfinite = True

    def add(self, old: NDArray[Any], new: NDArray[Any]) -> None:
        if old.dtype == new.dtype and np.array_equal(_bits(old), _bits(new)):
            a = b = _finite(old.astype(np.float64))
        else:
            self.same_bits = False
            a, b = old.astype(np.float64), new.astype(np.float64)
            with np.errstate(invalid="ignore", over="ignore"):  # infinities, counted apart
                difference = a - b
                noise = _dot(difference, difference)
            if not math.isfinite(noise):
                self.differing += _differing_odd(a, b)
                a, b = self._both_finite(a, b)
                difference = a - b
                noise = _dot(difference, difference)
            self.differing += int(np.count_nonzero(difference))
            self.noise += noise
            np.abs(difference, out=difference)
            self.sum_abs += float(difference.sum())
            self.max_abs = max(self.max_abs, float(difference.max(initial=0.0)))
        self.signal += _dot(a, a)
        self.other += _dot(b, b)
        self.product += _dot(a, b)
        self.peak = max(self.peak, float(a.max(initial=0.0)), -float(a.min(initial=0.0)))

    def include(self, other: _Sums) -> None:
        """Add the sums of other elements."""
        for name in ("signal", "noise", "product", "other", "sum_abs", "differing"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.max_abs, self.peak = max(self.max_abs, other.max_abs), max(self.peak, other.peak)
        self.same_bits &= other.same_bits
        self.same_nonfinite &= other.same_nonfinite

    def _both_finite(
        self, a: NDArray[np.float64], b: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        finite = np.isfinite(a) & np.isfinite(b)
        if not finite.all():
            odd_a, odd_b = a[~finite], b[~finite]
            self.same_nonfinite &= bool(np.array_equal(odd_a, odd_b, equal_nan=True))
            return a[finite], b[finite]
        return a, b


def _without_masks(old: NDArray[Any], new: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the numbers without those that are far below zero on both sides."""
    if old.dtype.kind in "biu" or not old.size or not old.min() <= HIDING:
        return old, new
    kept = ~((old <= HIDING) & (new <= HIDING))
    return old[kept], new[kept]


def _dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the sum of products. BLAS would start threads, which takes longer than the sum."""
    return float(np.multiply(a, b).sum())


def _differing_odd(a: NDArray[np.float64], b: NDArray[np.float64]) -> int:
    """Return the number of places that differ where one of the values is not finite."""
    odd = ~(np.isfinite(a) & np.isfinite(b))
    equal = (a == b) | (np.isnan(a) & np.isnan(b))
    return int(np.count_nonzero(odd & ~equal))


def _finite(a: NDArray[np.float64]) -> NDArray[np.float64]:
    finite = np.isfinite(a)
    return a if finite.all() else a[finite]


def _bits(array: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(array).view(np.uint8)


def _is_number(array: NDArray[Any]) -> bool:
    return array.dtype.kind in "biuf" or array.dtype.name.startswith(
        ("bfloat", "float", "int", "uint")
    )


def _max_relative(old: NDArray[Any], new: NDArray[Any], typical: float) -> float:
    largest = 0.0
    for start in range(0, old.size, PIECE):
        a = old[start : start + PIECE].astype(np.float64)
        b = new[start : start + PIECE].astype(np.float64)
        finite = np.isfinite(a) & np.isfinite(b)
        size = np.maximum(np.abs(a[finite]), typical * NEGLIGIBLE)
        difference = np.abs(a[finite] - b[finite])
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(difference > 0, difference / size, 0.0)
        largest = max(largest, float(share.max(initial=0.0)))
    return largest


def _cosine(sums: _Sums) -> float:
    if not sums.noise:
        return 1.0
    lengths = math.sqrt(sums.signal) * math.sqrt(sums.other)
    return max(-1.0, min(1.0, sums.product / lengths)) if lengths else 0.0


def _db(signal: float, noise: float) -> float:
    if not noise:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf


def _all_or_nothing(difference: float) -> float:
    return math.inf if difference else 0.0


def _top1(old: NDArray[Any], new: NDArray[Any]) -> tuple[int, int]:
    """Return how many rows along the last axis agree on their largest element, and of how many."""
    if old.ndim < 2 or old.shape[-1] < 2 or not old.size or old.dtype.kind == "b":
        return 0, 0
    rows_old, rows_new = (each.reshape(-1, old.shape[-1]) for each in (old, new))
    step = max(1, PIECE // old.shape[-1])
    agreed = 0
    for start in range(0, len(rows_old), step):
        a, b = (each[start : start + step].astype(np.float64) for each in (rows_old, rows_new))
        agreed += int(np.count_nonzero(a.argmax(axis=1) == b.argmax(axis=1)))
    return agreed, len(rows_old)
