"""What the numbers in the stored tensors are like, read through the map and in pieces.

Small tensors are read whole. Of large ones evenly spaced pieces are read: enough to see what
a tensor is like, and to do so for a model of any size in a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite, isinf, isnan
from typing import TYPE_CHECKING, Any

from modellint.base.records import dataclass
from modellint.model import Model, Tensor, Value
from modellint.operators import Trait, having
from modellint.targets.deployment import Deployment

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PIECES = 16
PIECE = 1 << 12
"""Elements of one piece; a tensor of no more than PIECES of them is read whole."""

FLOAT16_MAX = 65504.0
FLOAT16_ZERO = 2.0**-25
"""Up to this, a number becomes 0 in fp16 (half of its smallest subnormal)."""

WEIGHTED = having(Trait.FLOAT_PRODUCT, Trait.RECURRENT)
"""Ops that multiply with a stored weight in floating point."""
WEIGHT = 1
"""The input it is."""


def is_weight(value: Value) -> bool:
    """Whether a layer multiplies with the value."""
    return any(use.index == WEIGHT and use.node.op_type in WEIGHTED for use in value.consumers)


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of one floating-point tensor; counts are of the elements that were read."""

    read: int
    elements: int
    nans: int
    infinities: int
    zeros: int
    lowest: float
    highest: float
    vanishing: int
    """Numbers other than 0 that are 0 in fp16."""

    @property
    def is_sample(self) -> bool:
        return self.read < self.elements

    @property
    def largest(self) -> float:
        """The finite number farthest from zero."""
        return max(self.lowest, self.highest, key=abs)

    @property
    def is_constant(self) -> bool:
        return self.lowest == self.highest and not self.nans and not self.infinities


class Weights:
    """Statistics of a model's tensors, each computed on first need."""

    def __init__(self, model: Model, deployment: Deployment) -> None:
        del model, deployment  # the tensors know where their bytes are
        self._known: dict[int, tuple[Tensor, Statistics | None]] = {}

    def of(self, tensor: Tensor) -> Statistics | None:
        """None where there is nothing to be told: no floats, no elements, or no bytes."""
        if id(tensor) not in self._known:
            self._known[id(tensor)] = tensor, _measure(tensor)
        return self._known[id(tensor)][1]


def _measure(tensor: Tensor) -> Statistics | None:
    if not tensor.dtype.is_float or not tensor.elements or tensor.read is None:
        return None
    plain = tensor.plain()
    if plain is not None and len(plain) <= PIECE:
        return _measure_plain(plain)
    import numpy as np

    read = nans = infinities = zeros = vanishing = 0
    lowest, highest = np.inf, -np.inf
    for numbers in pieces(tensor):
        read += numbers.size
        low, high = float(numbers.min()), float(numbers.max())
        if not (np.isfinite(low) and np.isfinite(high)):  # rare, so counted only then
            nans += int(np.isnan(numbers).sum())
            infinities += int(np.isinf(numbers).sum())
            numbers = numbers[np.isfinite(numbers)]
            if not numbers.size:
                continue
            low, high = float(numbers.min()), float(numbers.max())
        lowest, highest = min(lowest, low), max(highest, high)
        none = numbers.size - int(np.count_nonzero(numbers))
        zeros += none
        vanishing += int((np.abs(numbers) <= FLOAT16_ZERO).sum()) - none
    if not read:
        return None
    if lowest > highest:  # not one finite number
        lowest = highest = 0.0
    return Statistics(read, tensor.elements, nans, infinities, zeros, lowest, highest, vanishing)


def _measure_plain(numbers: Sequence[float]) -> Statistics:
    """The same of a few numbers, faster than numpy is loaded."""
    finite = [number for number in numbers if isfinite(number)]
    return Statistics(
        read=len(numbers),
        elements=len(numbers),
        nans=sum(map(isnan, numbers)),
        infinities=sum(map(isinf, numbers)),
        zeros=finite.count(0.0),
        lowest=min(finite, default=0.0),
        highest=max(finite, default=0.0),
        vanishing=sum(0.0 < abs(number) <= FLOAT16_ZERO for number in finite),
    )


def pieces(tensor: Tensor) -> Iterator[NDArray[np.floating[Any]]]:
    """The tensor's elements in order, or evenly spaced pieces of them, as ordinary floats."""
    import numpy as np

    stored = tensor.numpy()
    if stored is None or not stored.size:
        return
    flat = stored.reshape(-1)
    if flat.size <= PIECES * PIECE:
        starts = range(0, flat.size, PIECES * PIECE)
        length = flat.size
    else:
        starts = range(0, flat.size - PIECE + 1, (flat.size - PIECE) // (PIECES - 1))
        length = PIECE
    with np.errstate(all="ignore"):
        for start in starts:
            piece = flat[start : start + length]
            yield piece.astype(np.promote_types(piece.dtype, np.float32), copy=False)
