"""Coefficients and sums that all devices have in common whose times are computed.

A device tells the time of one product and of a kernel's traffic; `timing.py` has the ones that cut
products into tiles, `cpu.py` the cores of CPUs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from modellint.analysis.latency.kernels import Launch, Product
from modellint.base.records import dataclass
from modellint.targets.target import Target

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
    window: float = 0.0
    """Positions of a depthwise window that take as long as the rest of the work for a result."""
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
    """Exponent of the slowdown of smaller tiles, which read their operands more often."""
    overlap: float = 0.3
    """Share of the shorter one of arithmetic and traffic that does not overlap with the longer."""
    call: float = 2e-5
    """Seconds of a run, besides its kernels."""
    float_rate: float = 0.0
    """Operations per second of large products in 16 bits, if fitted rather than published."""
    integer_rate: float = 0.0
    """The same in 8 bits."""
    room: float = 0.0
    """Bytes of weights that a chip keeps, or, if it computes all layers at once, of a network."""
    load: float = 0.0
    """Bytes per second of the weights that it has no room for."""
    stream: float = 0.0
    """Bytes per second of values between layers, which such a chip keeps on itself."""
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


class Processor(ABC):
    """A device with its coefficients."""

    def __init__(self, target: Target, coefficients: Coefficients) -> None:
        self._target, self._of = target, coefficients
        self._units = target.units or 1
        self._vector = coefficients.float_rate / _LANES or vector_rate(target)
        self._known: dict[tuple[Product, str], float] = {}

    @property
    def call(self) -> float:
        """Return the seconds of a run, besides its kernels."""
        return self._of.call

    @abstractmethod
    def rate(self, precision: str) -> tuple[str, float, bool]:
        """Return the precision that is used for another, its rate, and whether by matrix units."""

    @abstractmethod
    def time(self, kernel: Launch, weight_bytes: int) -> LaunchTime:
        """Return the time of a kernel of a model with so many bytes of weights."""

    @abstractmethod
    def _measure(self, product: Product, kind: str) -> float:
        """Return the seconds of a product in a kernel of a kind."""

    def _products(self, kernel: Launch) -> float:
        """Return the seconds of a kernel's products, each computed once for a whole model."""
        return sum([self._product(each, kernel.kind) for each in kernel.products])

    def _product(self, product: Product, kind: str) -> float:
        known = self._known.get((product, kind))
        if known is None:
            known = self._known[product, kind] = self._measure(product, kind)
        return known

    def _share(self, product: Product, kind: str) -> float:
        """Return the efficiency of a product in a kind of kernel, relative to one on its own."""
        of = self._of
        if kind == "attention":
            return of.attention
        if kind == "convolution":
            return of.convolution * (of.grouped if product.groups > 1 else 1)
        return 1.0

    def _overlapped(self, compute: float, memory: float) -> tuple[float, float]:
        """Return arithmetic and traffic, of the shorter one what the longer does not hide."""
        hidden = self._of.overlap
        return (compute, memory * hidden) if compute >= memory else (compute * hidden, memory)


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


def share_kept(nbytes: float, room: int) -> float:
    """Return the share of some bytes that the cache still holds when they are read again."""
    if nbytes <= 0:
        return 1.0
    return max(0.0, min(1.0, 1.5 - nbytes / room)) if room else 0.0
