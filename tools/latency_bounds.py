"""Bounds of expected times, from how far off fits are that did not see a family or a device.

Measurements of one family are alike, and so are those of one device: another one is not as close as
the rest of its own rows. Quantiles therefore count each family, or each device, the same, whether
it has four rows or four hundred.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from benchmarked import Row

INSIDE = 0.95
"""Share of left-out measurements that bounds contain: two dozen families and fewer devices tell
little of the next one, so that containing nine of ten of its measurements takes more of theirs."""
ENOUGH = 3
"""Families from which a device is known; with fewer, it is as good as unseen."""
NARROWEST = 1.25
"""Smallest factor of bounds: published sources of one configuration differ by as much."""


class Fitted(Protocol):
    """A fit that can leave out rows."""

    @property
    def rows(self) -> Sequence[Row]: ...
    @property
    def measured(self) -> Any: ...
    def left_out(self, key: str) -> Any: ...


class Bounds:
    """Factors between what is expected and what is measured, both ways."""

    def __init__(self, fit: Fitted) -> None:
        self._fit = fit

    @cached_property
    def _known(self) -> list[tuple[Row, float]]:
        """The rows of devices that are known without the row's family, with their misses."""
        misses = self._fit.left_out("family") - self._fit.measured
        return [(self._fit.rows[at], misses[at]) for at in well_known(self._fit.rows)]

    @cached_property
    def _unseen(self) -> list[tuple[Row, float]]:
        misses = self._fit.left_out("chip") - self._fit.measured
        return list(zip(self._fit.rows, misses, strict=True))

    def of_unseen_devices(self, besides: str = "") -> float:
        """Return the factor for a device without measurements, without those of one."""
        rest = [(row.chip, miss) for row, miss in self._unseen if row.chip != besides]
        return factor(rest)

    def of_device(self, chip: str, besides: str = "") -> float:
        """Return the factor for a device with measurements, without those of a family.

        It is that of all devices, or the device's own if that is larger.
        """
        if len({row.family for row in self._fit.rows if row.chip == chip} - {besides}) < ENOUGH:
            return self.of_unseen_devices()
        rest = [(row, miss) for row, miss in self._known if row.family != besides]
        own = [(row, miss) for row, miss in rest if row.chip == chip]
        groups = [rest] if len({row.family for row, _ in own}) < ENOUGH else [rest, own]
        return max(factor([(row.family, miss) for row, miss in group]) for group in groups)


def factor(misses: Iterable[tuple[Hashable, float]]) -> float:
    """Return the factor that most measurements are within, from groups and log ratios."""
    ordered = sorted(misses, key=lambda each: abs(each[1]))
    sizes = Counter(group for group, _ in ordered)
    reached = np.cumsum([1 / sizes[group] for group, _ in ordered])
    at = min(int(np.searchsorted(reached, INSIDE * reached[-1])), len(ordered) - 1)
    return max(NARROWEST, round(math.exp(abs(ordered[at][1])), 2))


def factor_of_rows(misses: Sequence[float]) -> float:
    """Return the factor that most measurements are within, each of which counts the same."""
    return factor((at, miss) for at, miss in enumerate(misses))


def well_known(rows: Sequence[Row]) -> list[int]:
    """Return the rows whose device is still known when their family is left out.

    At least half of its measurements are of other families.
    """
    families = Counter((row.chip, row.family) for row in rows)
    totals = Counter(row.chip for row in rows)
    return [
        at for at, row in enumerate(rows) if families[row.chip, row.family] * 2 <= totals[row.chip]
    ]
