"""Time of a kernel on a chip that keeps values between layers on itself, and weights, if they fit.

A `Resident` chip loads the weights that it has no room for once a run: an Edge TPU, or an Ethos-U,
which has room for none. A `Dataflow` computes all layers at once, each in a part of the chip of its
own, image after image; a network that it has no room for is cut, and loaded by turns: a Hailo.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from modellint.analysis.latency.kernels import Launch, Product
from modellint.analysis.latency.processor import Coefficients
from modellint.analysis.latency.timing import Machine
from modellint.targets.target import Target

_ROOM_OF_MAC = {"attention": 1.0, "depthwise": 0.125}
"""Bytes that a multiply-add takes besides weights, by the kind of its kernel: keys and values are
held like weights, and rows of an image until the window has passed them."""


class Resident(Machine):
    """A chip that computes layer by layer, with memory of its own for weights and values."""

    def _traffic(self, kernel: Launch, weight_bytes: int) -> float:
        moved = float(kernel.activation_bytes)
        if kernel.kind == "other":
            moved *= self._of.passes
        loaded = kernel.weight_bytes * self._share_loaded(weight_bytes)
        return moved / self._of.stream + loaded / self._of.load

    def _share_loaded(self, weight_bytes: int) -> float:
        """Return the share of the weights that the chip has no room for."""
        return max(0.0, 1 - self._of.room / weight_bytes) if weight_bytes else 0.0

    def _measure(self, product: Product, kind: str) -> float:
        of = self._of
        if kind == "depthwise":
            return 2 * product.macs / (self._vector * of.depthwise)
        share = of.matrix * self._share(product, kind)
        return 2 * product.macs / (self.rate(product.precision)[1] * share)


class Dataflow(Resident):
    """A chip that computes all layers at once, and its capacity for one network."""

    def __init__(self, target: Target, coefficients: Coefficients, occupied: float) -> None:
        self._is_cut = occupied > coefficients.room
        launch = coefficients.launch if self._is_cut else 0.0
        super().__init__(target, replace(coefficients, launch=launch))

    def _share_loaded(self, weight_bytes: int) -> float:
        return 1.0 if self._is_cut else 0.0


def occupied(kernels: Iterable[tuple[Launch, int]], batch: int) -> float:
    """Return the bytes that a network takes on a chip which holds all of it.

    From its kernels with the number of each, as they run a batch.
    """
    return sum(count * _room_of(kernel, batch) for kernel, count in kernels)


def _room_of(kernel: Launch, batch: int) -> float:
    each = _ROOM_OF_MAC.get(kernel.kind, 0.0) / batch
    return kernel.weight_bytes + each * sum(product.macs for product in kernel.products)
