"""Spread of a weight's numbers, which decides how well it quantizes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from modellint.analysis.quantization.ops import output_axis
from modellint.analysis.quantization.parts import WeightedOp
from modellint.base.records import dataclass
from modellint.model import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHUNK = 1 << 22
"""Elements per chunk, so that large weights are never completely in memory."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Magnitudes of a weight's output channels."""

    largest: int
    """Channel with the largest number."""
    ratio: float
    """Ratio of that number to the largest number of the median channel."""
    spiky: int
    """Channel whose largest number is the most extreme in its channel."""
    crest: float
    """Ratio of that number to the root mean square of its channel."""
    channels: int


def spread(op: WeightedOp) -> Spread | None:
    """Measure the stored float weight of an op; None if it cannot be read."""
    import numpy as np

    tensor = op.weight.root.tensor
    if tensor is None or not tensor.dtype.is_float or tensor.dtype.bits < 16:
        return None
    if tensor.read is None or not tensor.elements:  # its dims are whatever the file declares
        return None
    axis = output_axis(op.node, len(tensor.shape))
    if len(tensor.shape) < 2 or axis is None or not 0 <= axis < len(tensor.shape):
        return None
    if not op.node.graph.model.reading.affords("spread", tensor):
        return None
    measured = _measure(tensor, axis)
    if measured is None:
        return None
    peaks, squares = measured
    alive = np.flatnonzero((peaks > 0) & (squares > 0) & np.isfinite(squares))
    if not len(alive):
        return None
    crests = peaks[alive] / np.sqrt(squares[alive] / (tensor.elements / len(peaks)))
    top = alive[peaks[alive].argmax()]
    return Spread(
        largest=int(top),
        ratio=float(peaks[top] / np.median(peaks[alive])),
        spiky=int(alive[crests.argmax()]),
        crest=float(crests.max()),
        channels=len(peaks),
    )


def _measure(tensor: Tensor, axis: int) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Return the largest magnitude and the sum of squares of each channel, if there are any."""
    import numpy as np

    peaks = squares = None
    for start, part in _chunks(tensor):
        if peaks is None or squares is None:
            peaks, squares = np.zeros((2, tensor.shape[axis]), np.float64)
        numbers = np.abs(np.moveaxis(part, axis, 0).reshape(part.shape[axis], -1))
        numbers = numbers.astype(np.float32, copy=False)
        at = slice(start, start + len(part)) if axis == 0 else slice(None)
        peaks[at] = np.maximum(peaks[at], numbers.max(axis=1))
        squares[at] += np.einsum("ij,ij->i", numbers, numbers)
    return (peaks, squares) if peaks is not None and squares is not None else None


def _chunks(tensor: Tensor) -> Iterator[tuple[int, NDArray[Any]]]:
    """Iterate over rows along the first axis, each with the index of its first."""
    row = tensor.elements // tensor.shape[0] if tensor.elements else 0
    rows = max(1, _CHUNK // max(1, row))
    start = 0
    for part in tensor.pieces(rows * row) if row else ():
        chunk = part.reshape(-1, *tensor.shape[1:])
        yield start, chunk
        start += len(chunk)


def used_levels(op: WeightedOp) -> list[int] | None:
    """Return the largest stored number of each output channel of a per-tensor 8-bit weight."""
    scheme, tensor = op.weight.scheme, op.weight.root.tensor
    if scheme is None or tensor is None or not scheme.is_per_tensor:
        return None
    if tensor.dtype.name not in ("int8", "uint8"):
        return None
    import numpy as np

    axis = output_axis(op.node, len(tensor.shape))
    points = scheme.zero_points
    if scheme.zero_point is not None and points is None:
        return None
    if points is not None and points.dtype != tensor.dtype.numpy:
        return None
    point = int(points.reshape(-1)[0]) if points is not None else 0
    if axis is None or len(tensor.shape) < 2 or not 0 <= axis < len(tensor.shape):
        return None
    if not op.node.graph.model.reading.affords("levels", tensor):
        return None
    peaks = None
    for start, part in _chunks(tensor):
        if peaks is None:
            peaks = np.zeros(tensor.shape[axis], np.int64)
        numbers = np.moveaxis(part, axis, 0).reshape(part.shape[axis], -1).astype(np.int16)
        at = slice(start, start + len(part)) if axis == 0 else slice(None)
        peaks[at] = np.maximum(peaks[at], np.abs(numbers - point).max(axis=1))
    return [int(peak) for peak in peaks] if peaks is not None else None
