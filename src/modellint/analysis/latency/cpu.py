"""Time of a kernel on the cores of a CPU, as ONNX Runtime's own kernels take it.

Products reach a constant share of the peak: their weights are read besides, from beyond the caches
of a core. Convolutions are computed in blocks of channels where the layout allows it. Whatever else
there is runs in loops over elements, which wait for arithmetic or for memory.
"""

from __future__ import annotations

from modellint.analysis.blocked import block
from modellint.analysis.latency.kernels import Launch, Product
from modellint.analysis.latency.processor import Coefficients, LaunchTime, Processor, share_kept
from modellint.analysis.roofline import peak_rate
from modellint.targets.target import Target

_COLUMNS = 16
"""Columns of the result that a core computes at once in a product."""
_ROWS = 6
"""Rows of it: with fewer, weights are read for few operations each."""
_SET = 4
"""Blocks of channels that a convolution computes at once."""
_GAIN = 0.7
"""Measured exponent of the speed-up from more of them at once."""
_FP32 = 4


class Cpu(Processor):
    """Cores of a CPU with their coefficients."""

    def __init__(self, target: Target, coefficients: Coefficients) -> None:
        super().__init__(target, coefficients)
        self._bandwidth = target.memory.bandwidth or 1.0
        self._l2_bytes = target.l2_bytes or 0
        self._block = block()

    def rate(self, precision: str) -> tuple[str, float, bool]:
        """Return the precision that is used for another, its rate, and False: by vector units.

        Floats of 16 bits are computed in 32.
        """
        found = peak_rate(self._target, precision)
        return (*found, False) if found is not None else ("fp32", self._vector, False)

    def time(self, kernel: Launch, weight_bytes: int) -> LaunchTime:
        """Return the time of a kernel of a model with so many bytes of weights."""
        of = self._of
        compute = self._products(kernel)
        compute += kernel.loops.operations / (self._vector * of.loops)
        compute += kernel.loops.rows * of.row / self._units
        compute, memory = self._overlapped(compute, self._activations(kernel))
        memory += self._weights(kernel, weight_bytes)
        memory += kernel.converted_bytes / (self._bandwidth * of.reorder)
        return LaunchTime(compute, memory, of.launch)

    def _activations(self, kernel: Launch) -> float:
        of, moved = self._of, float(kernel.activation_bytes)
        if kernel.kind == "other":
            moved *= of.passes
        moved += sum(_unfolded_bytes(each) for each in kernel.products)
        near = moved * share_kept(moved, self._l2_bytes)
        return (near / of.cache + (moved - near) / of.memory) / self._bandwidth

    def _weights(self, kernel: Launch, weight_bytes: int) -> float:
        """Return the time of reading weights, which are near if all of the model's are."""
        of = self._of
        near = kernel.weight_bytes * share_kept(weight_bytes, self._l2_bytes)
        return (near / of.cache + (kernel.weight_bytes - near) / of.weights) / self._bandwidth

    def _measure(self, product: Product, kind: str) -> float:
        of = self._of
        _, rate, _ = self.rate(product.precision)
        rate *= of.vector
        if kind == "depthwise":
            begun = 1 + of.edge / product.width
            return 2 * product.macs * begun / (rate * of.depthwise)
        if kind == "convolution":
            rate *= of.convolution
        if product.is_blocked:
            macs = product.rows * product.depth * product.groups
            return 2 * macs * self._columns(product.columns) / rate
        if product.groups > 1 and kind == "convolution":
            seconds = 2 * product.macs / (rate * of.grouped)
            return seconds + of.group * product.groups
        depth = product.depth + of.fill
        columns = -(-product.columns // _COLUMNS) * _COLUMNS
        speed: float = rate * (min(product.rows, _ROWS) / _ROWS) ** of.tile
        return 2 * product.rows * columns * depth * product.groups / speed

    def _columns(self, columns: int) -> float:
        """Return the columns that take as long where all blocks are computed in full sets."""
        sets, rest = divmod(-(-columns // self._block), _SET)
        speed: float = min(1.0, self._of.narrow * max(1, rest) ** _GAIN)
        return self._block * (_SET * sets + rest / speed)


def _unfolded_bytes(product: Product) -> int:
    """Return the bytes that a convolution writes and reads to become a product of matrices."""
    if product.is_blocked or product.taps == 1 or product.columns == 1:
        return 0
    return 2 * _FP32 * product.rows * product.depth * product.groups
