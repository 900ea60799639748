"""Statistics of stored tensors, read through memory maps and in pieces.

Small tensors are read completely. Large ones are sampled in evenly spaced pieces, which is
representative and takes a fraction of a second for a model of any size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite, isinf, isnan
from typing import TYPE_CHECKING, Any

from modellint.base.expressions import late
from modellint.base.records import dataclass
from modellint.model import Model, Tensor, Value
from modellint.operators import Trait, having
from modellint.targets.deployment import Deployment

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PIECES = 16
PIECE = 1 << 12
"""Elements per piece; tensors of up to PIECES pieces are read completely."""
FEWEST_PIECES, MOST_PIECES = 2, 1 << 15
"""Pieces of each tensor, and of all of a model: one may have 90,000 tensors of experts."""

FLOAT16_MAX = 65504.0
FLOAT16_ZERO = 2.0**-25
"""Largest number that becomes 0 in fp16 (half of its smallest subnormal)."""

WEIGHTED = having(Trait.FLOAT_PRODUCT, Trait.RECURRENT)
"""Ops that multiply by a stored weight in floating point."""
WEIGHT = 1
"""Index of the weight."""


_WEIGHT_NAME = late(r"(?i)(^|[./_:])(weights?|kernel|[a-z]+_proj|lora_[ab])(:0)?$")


def is_weight(place: Value | Tensor) -> bool:
    """Return True if a layer multiplies by the value; without a graph, by the tensor's name."""
    if isinstance(place, Tensor):
        is_matrix = sum(dim > 1 for dim in place.shape) > 1
        return is_matrix and _WEIGHT_NAME.search(place.name) is not None
    return any(use.index == WEIGHT and use.node.op_type in WEIGHTED for use in place.consumers)


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of a floating-point tensor; counts are of the elements read."""

    read: int
    elements: int
    nans: int
    infinities: int
    zeros: int
    lowest: float
    highest: float
    vanishing: int | None
    """Count of nonzero numbers that are 0 in fp16; None unless the model runs in fp16."""

    @property
    def is_sample(self) -> bool:
        return self.read < self.elements

    @property
    def largest(self) -> float:
        """Return the largest finite magnitude."""
        return max(self.lowest, self.highest, key=abs)

    @property
    def is_constant(self) -> bool:
        return self.lowest == self.highest and not self.nans and not self.infinities


class Weights:
    """Statistics of a model's tensors, computed on first use."""

    def __init__(self, model: Model, deployment: Deployment) -> None:
        self._pieces = min(PIECES, max(FEWEST_PIECES, MOST_PIECES // max(1, len(model.tensors))))
        self._in_fp16 = deployment.precision == "fp16"
        self._known: dict[int, tuple[Tensor, Statistics | None]] = {}

    def of(self, tensor: Tensor) -> Statistics | None:
        """Return a tensor's statistics; None without floats, elements or bytes."""
        known = self._known.get(id(tensor))
        if known is None:
            known = tensor, _measure(tensor, self._pieces, in_fp16=self._in_fp16)
            self._known[id(tensor)] = known
        return known[1]


def _measure(tensor: Tensor, most: int, *, in_fp16: bool) -> Statistics | None:
    if not tensor.dtype.is_float or not tensor.elements or tensor.read is None:
        return None
    plain = tensor.plain()
    if plain is not None and len(plain) <= PIECE:
        return _measure_plain(plain, in_fp16=in_fp16)
    import numpy as np

    read = nans = infinities = zeros = vanishing = 0
    lowest, highest = np.inf, -np.inf
    for numbers in pieces(tensor, most):
        read += numbers.size
        low, high = float(numbers.min()), float(numbers.max())
        if not (isfinite(low) and isfinite(high)):  # rare, so counted only then
            nans += int(np.isnan(numbers).sum())
            infinities += int(np.isinf(numbers).sum())
            numbers = numbers[np.isfinite(numbers)]
            if not numbers.size:
                continue
            low, high = float(numbers.min()), float(numbers.max())
        lowest, highest = min(lowest, low), max(highest, high)
        none = numbers.size - int(np.count_nonzero(numbers))
        zeros += none
        if in_fp16:
            vanishing += int((np.abs(numbers) <= FLOAT16_ZERO).sum()) - none
    if not read:
        return None
    if lowest > highest:  # not one finite number
        lowest = highest = 0.0
    return Statistics(
        read=read,
        elements=tensor.elements,
        nans=nans,
        infinities=infinities,
        zeros=zeros,
        lowest=lowest,
        highest=highest,
        vanishing=vanishing if in_fp16 else None,
    )


def _measure_plain(numbers: Sequence[float], *, in_fp16: bool) -> Statistics:
    """Measure a few numbers in plain Python, faster than loading numpy."""
    finite = numbers
    if not isfinite(sum(numbers)):
        finite = [number for number in numbers if isfinite(number)]
    zeros = finite.count(0.0)
    vanishing = None
    if in_fp16:
        vanishing = len([n for n in finite if -FLOAT16_ZERO <= n <= FLOAT16_ZERO]) - zeros
    return Statistics(
        read=len(numbers),
        elements=len(numbers),
        nans=sum(map(isnan, numbers)) if finite is not numbers else 0,
        infinities=sum(map(isinf, numbers)) if finite is not numbers else 0,
        zeros=zeros,
        lowest=min(finite, default=0.0),
        highest=max(finite, default=0.0),
        vanishing=vanishing,
    )


def pieces(tensor: Tensor, most: int = PIECES) -> Iterator[NDArray[np.floating[Any]]]:
    """Iterate over the tensor's elements, or evenly spaced pieces of them, as standard floats."""
    import numpy as np

    size, length = tensor.elements, PIECE
    if size <= most * PIECE:
        starts, length = range(min(size, 1)), size
    else:
        starts = range(0, size - PIECE + 1, (size - PIECE) // (most - 1))
    with np.errstate(all="ignore"):
        for piece in tensor.parts((start, start + length) for start in starts):
            yield piece.astype(np.promote_types(piece.dtype, np.float32), copy=False)
