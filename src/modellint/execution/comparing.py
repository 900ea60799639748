"""Figures of how far two arrays differ."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modellint.base.records import dataclass

PIECE = 1 << 20
"""Elements that are compared at once: arrays may be mapped from files larger than memory."""
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
        """True if the shapes are the same, so that the figures mean something."""
        return self.shapes[0] == self.shapes[1]


def compare(old: NDArray[Any], new: NDArray[Any]) -> Deviation:
    """Compare `new` with `old`, which is what it should be."""
    shapes = (old.shape, new.shape)
    if old.shape != new.shape:
        count = max(old.size, new.size)
        return Deviation(count, False, count, shapes, cosine=0.0, sqnr=-math.inf, top1=0.0)
    if not (_is_number(old) and _is_number(new)):
        differing = int(np.count_nonzero(old.astype(str) != new.astype(str)))
        same = old.dtype.kind == new.dtype.kind and not differing
        return Deviation(
            old.size, same, differing, shapes, cosine=float(same), sqnr=math.inf if same else 0.0
        )
    sums = _Sums()
    a, b = old.reshape(-1), new.reshape(-1)
    for start in range(0, a.size, PIECE):
        sums.add(a[start : start + PIECE], b[start : start + PIECE])
    return Deviation(
        old.size,
        old.dtype == new.dtype and sums.same_bits,
        sums.differing,
        shapes,
        max_abs=sums.max_abs,
        mean_abs=sums.sum_abs / old.size if old.size else 0.0,
        max_relative=_max_relative(a, b, math.sqrt(sums.signal / max(old.size, 1))),
        to_range=sums.max_abs / sums.peak if sums.peak else _all_or_nothing(sums.max_abs),
        cosine=_cosine(sums),
        sqnr=_db(sums.signal, sums.noise),
        top1=_top1(old, new),
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
            self.differing += int(np.count_nonzero(~((a == b) | (np.isnan(a) & np.isnan(b)))))
            a, b = self._both_finite(a, b)
            difference = np.abs(a - b)
            self.noise += float(difference @ difference)
            self.sum_abs += float(difference.sum())
            self.max_abs = max(self.max_abs, float(difference.max(initial=0.0)))
        self.signal += float(a @ a)
        self.other += float(b @ b)
        self.product += float(a @ b)
        self.peak = max(self.peak, float(np.abs(a).max(initial=0.0)))

    def _both_finite(
        self, a: NDArray[np.float64], b: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        finite = np.isfinite(a) & np.isfinite(b)
        if not finite.all():
            odd_a, odd_b = a[~finite], b[~finite]
            self.same_nonfinite &= bool(np.array_equal(odd_a, odd_b, equal_nan=True))
            return a[finite], b[finite]
        return a, b


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


def _top1(old: NDArray[Any], new: NDArray[Any]) -> float | None:
    """Return the share of rows along the last axis that agree on their largest element."""
    if old.ndim < 2 or old.shape[-1] < 2 or not old.size or old.dtype.kind == "b":
        return None
    rows_old, rows_new = (each.reshape(-1, old.shape[-1]) for each in (old, new))
    step = max(1, PIECE // old.shape[-1])
    agreed = 0
    for start in range(0, len(rows_old), step):
        a, b = (each[start : start + step].astype(np.float64) for each in (rows_old, rows_new))
        agreed += int(np.count_nonzero(a.argmax(axis=1) == b.argmax(axis=1)))
    return agreed / len(rows_old)
