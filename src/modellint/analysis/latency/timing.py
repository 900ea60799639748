"""Time of a kernel on a device, from its sizes and a dozen coefficients.

    >>> machine = Machine(target, coefficients)
    >>> machine.time(kernel, weight_bytes)
    LaunchTime(compute=2.1e-05, memory=9.4e-06, overhead=4.0e-06)

A product is cut into tiles, which the device's units work on in waves; a tile that is filled badly
or a wave that leaves units idle costs as much as a full one. docs/estimates.md explains the rest.
"""

from __future__ import annotations

from collections.abc import Mapping

from modellint.analysis.latency.kernels import Launch, Product
from modellint.analysis.latency.processor import (
    Coefficients,
    LaunchTime,
    Processor,
    share_kept,
)
from modellint.analysis.roofline import peak_rate
from modellint.targets.target import Target

TILES = (
    (128, 128),
    (128, 64),
    (64, 64),
    (32, 64),
    (32, 32),
    (16, 32),
    (8, 32),
    (1, 32),
)
_LARGEST = 128 * 128
_SPLITS = (1, 2, 4, 8, 16)
_SHALLOWEST = 64
"""Depth below which a product is not split any further."""
_NARROW = ("int8", "int4", "fp8", "fp4")
_ALIGNMENT: Mapping[str, int] = {
    "int4": 32,
    "fp4": 32,
    "int8": 16,
    "fp8": 16,
    "tf32": 4,
}
"""Matrix units round depth and columns up to a multiple of this; 8 for 16 bits."""
ON_CHIP = 8 << 20
"""Bytes that an NPU keeps on the chip between layers, where its size is not published."""


class Machine(Processor):
    """A GPU or an NPU with its coefficients."""

    def __init__(self, target: Target, coefficients: Coefficients) -> None:
        super().__init__(target, coefficients)
        self._bandwidth = (target.memory.bandwidth or 1.0) * coefficients.memory
        self._cache = (target.memory.bandwidth or 1.0) * coefficients.cache
        self._l2_bytes = target.l2_bytes or (ON_CHIP if coefficients.float_rate else 0)
        self._rates: dict[str, tuple[str, float, bool]] = {}

    def time(self, kernel: Launch, weight_bytes: int) -> LaunchTime:
        """Return the time of a kernel of a model with so many bytes of weights."""
        compute = self._products(kernel) + kernel.flops / (self._vector * self._of.vector)
        compute, memory = self._overlapped(compute, self._traffic(kernel, weight_bytes))
        return LaunchTime(compute, memory, self._of.launch)

    def _traffic(self, kernel: Launch, weight_bytes: int) -> float:
        moved = float(kernel.activation_bytes)
        if kernel.kind == "other":
            moved *= self._of.passes
        elif kernel.kind == "pointwise":
            moved /= self._of.pointwise
        room = self._l2_bytes
        kept = share_kept(moved, room)
        held = share_kept(weight_bytes, room)
        near = moved * kept + kernel.weight_bytes * held
        far = moved + kernel.weight_bytes - near
        return far / self._bandwidth + near / self._cache

    def _measure(self, product: Product, kind: str) -> float:
        of = self._of
        if kind == "depthwise":
            each = 1 + of.window / product.taps
            return 2 * product.macs * each / (self._vector * of.depthwise)
        precision, rate, is_matrix = self.rate(product.precision)
        if is_matrix:
            share = of.matrix * (of.integer if precision in _NARROW else 1)
            align = _ALIGNMENT.get(precision, 8)
        else:
            share, align = of.vector * (of.winograd if product.is_dense_3x3 else 1), 1
        share *= self._share(product, kind)
        depth = _padded(product.depth // product.taps, min(align, 8)) * product.taps
        columns = _padded(product.columns, align)
        seconds = self._tiled(product.rows, columns, depth, product.groups, rate * share)
        by_turns = kind == "convolution" and product.groups > 1 and not is_matrix
        return seconds + of.group * product.groups if by_turns else seconds

    def _tiled(self, rows: int, columns: int, depth: int, groups: int, rate: float) -> float:
        """Return the time of the best way of cutting a product into tiles and its depth."""
        units, of = self._units, self._of
        best = float("inf")
        for height, width in TILES:
            tiles = -(-rows // height) * -(-columns // width) * groups
            area = height * width
            speed = rate / units * (area / _LARGEST) ** of.tile
            for split in _SPLITS:
                part = depth / split
                if split > 1 and (part < _SHALLOWEST or tiles * split > 4 * units):
                    break
                waves = -(-tiles * split // units)
                seconds = waves * 2 * area * (part + of.fill) / speed
                if split > 1:  # partial sums, written and read once more
                    seconds += 8 * rows * columns * groups * split / self._cache
                best = min(best, seconds)
        return best

    def rate(self, precision: str) -> tuple[str, float, bool]:
        """Return the precision that is used for another, its rate, and whether by matrix units."""
        known = self._rates.get(precision)
        if known is None:
            known = self._rates[precision] = self._find_rate(precision)
        return known

    def _find_rate(self, precision: str) -> tuple[str, float, bool]:
        target = self._target
        if self._of.float_rate:
            return self._fitted_rate(precision)
        if precision == "fp32" and target.accelerates("tf32") and target.peak("tf32"):
            precision = "tf32"  # which runtimes use by default
        found = peak_rate(target, precision)
        if found is None:
            return precision, self._vector, False
        name, rate = found
        if precision == "fp32" and name not in ("fp32", "tf32"):
            return "fp32", self._vector, False
        return name, rate, target.accelerates(name)

    def _fitted_rate(self, precision: str) -> tuple[str, float, bool]:
        """Return the peak that the fitted rate is relative to."""
        of = self._of
        if precision in ("int8", "int4") and of.integer_rate:
            return "int8", of.integer_rate / (of.matrix * of.integer), True
        return "fp16", of.float_rate / of.matrix, True


def instead_of(precision: str, target: Target) -> str:
    """Return the precision that a runtime chooses on a device without units for a narrow one."""
    found = peak_rate(target, precision) if precision in _NARROW else None
    return found[0] if found is not None else precision


def _padded(size: int, multiple: int) -> int:
    return -(-max(1, size) // multiple) * multiple
