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
from modellint.analysis.roofline import peak_rate
from modellint.base.records import dataclass
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
"""Elements to which matrix units round depth and columns up; 8 for 16 bits."""
ON_CHIP = 8 << 20
"""Bytes that an NPU keeps on the chip between layers, where its size is not published."""
_LANES = 8
"""Operations of matrix units for each of the vector units, where neither rate is published."""
_CORES: Mapping[str, int] = {"maxwell": 128, "volta": 64, "turing": 64}
"""Multiply-adders of a unit for fp32, by architecture."""


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Figures of a device below its peaks: shares of a peak unless said otherwise."""

    launch: float = 4e-6
    """Seconds between the beginnings of two kernels without work."""
    matrix: float = 0.7
    """Of the matrix units' peak: large products."""
    integer: float = 0.8
    """Of `matrix`: products of 8 bits or fewer."""
    vector: float = 0.8
    """Of the vector units' peak: large products where there are no matrix units."""
    winograd: float = 1.5
    """Gain of dense 3 x 3 convolutions on vector units; 2.25 at most."""
    attention: float = 0.6
    """Of what the same products reach outside of attention."""
    convolution: float = 1.0
    """Of what the same product reaches: convolutions but for depthwise ones."""
    grouped: float = 0.5
    """Of what a dense convolution of the same tiles reaches."""
    group: float = 0.0
    """Seconds of each group of a convolution on vector units that runs its groups by turns."""
    depthwise: float = 0.3
    """Of the vector units' peak: convolutions of one channel each."""
    memory: float = 0.8
    """Of the memory's bandwidth."""
    cache: float = 2.5
    """Bandwidth of the second-level cache, in bandwidths of the memory."""
    passes: float = 1.5
    """Traffic of kernels that are not pointwise, in reads and writes of their tensors."""
    pointwise: float = 1.0
    """Of the bandwidth: pointwise kernels, which some runtimes for CPUs have simple loops for."""
    fill: float = 64.0
    """Depth of a product whose time equals that of beginning and ending a tile."""
    tile: float = 0.25
    """Exponent by which smaller tiles are slower: they read their operands more often."""
    overlap: float = 0.3
    """Share of the shorter one of arithmetic and traffic that does not overlap with the longer."""
    call: float = 2e-5
    """Seconds of a run, besides its kernels."""
    float_rate: float = 0.0
    """Operations per second of large products in 16 bits, if fitted rather than published."""
    integer_rate: float = 0.0
    """The same in 8 bits."""
    weights: float = 0.5
    """Of the memory's bandwidth: weights, which a core of a CPU reads while it waits for them."""
    narrow: float = 0.46
    """Of the peak of a CPU: a convolution in a single block of channels."""
    edge: float = 5.0
    """Pixels that take the time of beginning and ending a row of a depthwise convolution."""
    loops: float = 1.0
    """Of the speed that `loops.toml` states: loops over elements on a CPU."""
    row: float = 2e-8
    """Seconds of each row of a normalization or a softmax on a CPU."""
    reorder: float = 1.0
    """Of the memory's bandwidth: conversions of values to and from blocks of channels."""


@dataclass(frozen=True, slots=True)
class LaunchTime:
    """Seconds of a kernel: what its arithmetic and its traffic take when they overlap."""

    compute: float
    memory: float
    overhead: float

    @property
    def seconds(self) -> float:
        return self.compute + self.memory + self.overhead


class Machine:
    """A device with its coefficients."""

    def __init__(self, target: Target, coefficients: Coefficients) -> None:
        self._target = target
        self._of = coefficients
        self._units = target.units or 1
        self._bandwidth = (target.memory.bandwidth or 1.0) * coefficients.memory
        self._cache = (target.memory.bandwidth or 1.0) * coefficients.cache
        self._l2_bytes = target.l2_bytes or (ON_CHIP if coefficients.float_rate else 0)
        self._rates: dict[str, tuple[str, float, bool]] = {}
        self._vector = coefficients.float_rate / _LANES or vector_rate(target)
        self._known: dict[tuple[object, ...], float] = {}

    @property
    def call(self) -> float:
        return self._of.call

    def time(self, kernel: Launch, weight_bytes: int) -> LaunchTime:
        """Return the time of a kernel of a model with so many bytes of weights."""
        of = self._of
        compute = sum([self._product(each, kernel) for each in kernel.products])
        compute += kernel.flops / (self._vector * of.vector)
        memory = self._traffic(kernel, weight_bytes)
        if compute >= memory:
            memory *= of.overlap
        else:
            compute *= of.overlap
        return LaunchTime(compute, memory, of.launch)

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

    def _product(self, product: Product, kernel: Launch) -> float:
        key = (product, kernel.kind)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._measure(product, kernel)
        return known

    def _measure(self, product: Product, kernel: Launch) -> float:
        of = self._of
        if kernel.kind == "depthwise":
            return 2 * product.macs / (self._vector * of.depthwise)
        precision, rate, is_matrix = self.rate(product.precision)
        if is_matrix:
            share = of.matrix * (of.integer if precision in _NARROW else 1)
            align = _ALIGNMENT.get(precision, 8)
        else:
            share, align = of.vector * (of.winograd if product.is_dense_3x3 else 1), 1
        if kernel.kind == "attention":
            share *= of.attention
        elif kernel.kind == "convolution":
            share *= of.convolution * (of.grouped if product.groups > 1 else 1)
        depth = _padded(product.depth // product.taps, min(align, 8)) * product.taps
        columns = _padded(product.columns, align)
        seconds = self._tiled(product.rows, columns, depth, product.groups, rate * share)
        by_turns = kernel.kind == "convolution" and product.groups > 1 and not is_matrix
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
        """Return the peak of which the fitted rate is the share that is reached."""
        of = self._of
        if precision in ("int8", "int4") and of.integer_rate:
            return "int8", of.integer_rate / (of.matrix * of.integer), True
        return "fp16", of.float_rate / of.matrix, True


def instead_of(precision: str, target: Target) -> str:
    """Return the precision that a runtime chooses on a device without units for a narrow one."""
    found = peak_rate(target, precision) if precision in _NARROW else None
    return found[0] if found is not None else precision


def vector_rate(target: Target) -> float:
    """Return the operations per second of the vector units in fp32, computed if not published."""
    stated = target.peak("fp32")
    if stated:
        return stated
    if target.units and target.clock:
        cores = _CORES.get(target.architecture or "", 128)
        return 2.0 * cores * target.units * target.clock
    published = max(target.rates.values(), default=1e12)
    return published / _LANES


def _padded(size: int, multiple: int) -> int:
    return -(-max(1, size) // multiple) * multiple


def share_kept(nbytes: float, room: int) -> float:
    """Return the share of some bytes that the cache still holds when they are read again."""
    if nbytes <= 0:
        return 1.0
    return max(0.0, min(1.0, 1.5 - nbytes / room)) if room else 0.0
