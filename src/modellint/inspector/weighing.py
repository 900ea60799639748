"""Figures of stored weights: their range, and how they are spread. This reads samples of them."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.analysis.weights import FEWEST_PIECES, MOST_PIECES, PIECES, pieces
from modellint.inspector.node_facts import attempt
from modellint.model import Model, Tensor
from modellint.results.inspection import WeightFigures

BINS = 24
"""Bars of a histogram."""
FEWEST = 16
"""Elements from which a tensor is worth figures."""
MOST_TENSORS = 20_000


def weight_figures(model: Model) -> list[WeightFigures]:
    """Return figures of all tensors that a model learned, in the file's order."""
    learned = [each for each in model.tensors if each.elements >= FEWEST][:MOST_TENSORS]
    most = min(PIECES, max(FEWEST_PIECES, MOST_PIECES // max(1, len(learned))))
    return list(_figures(learned, most))


def _figures(tensors: list[Tensor], most: int) -> Iterator[WeightFigures]:
    for tensor in tensors:
        is_number = tensor.dtype.is_float or tensor.dtype.is_integer
        if is_number and tensor.read is not None:
            found = attempt(lambda each=tensor: _measured(each, most))  # type: ignore[misc]
            if found is not None:
                yield found


def _measured(tensor: Tensor, most: int) -> WeightFigures | None:
    import numpy as np

    read = list(pieces(tensor, most))
    if not read:
        return None
    numbers = np.concatenate([each.reshape(-1) for each in read]).astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    if not finite.size:
        return None
    counts, _ = np.histogram(finite, bins=BINS)
    return WeightFigures(
        name=tensor.name,
        dtype=tensor.dtype.name,
        shape=list(tensor.shape),
        elements=tensor.elements,
        read=int(numbers.size),
        lowest=float(finite.min()),
        highest=float(finite.max()),
        mean=float(finite.mean()),
        deviation=float(finite.std()),
        zeros=int(finite.size - np.count_nonzero(finite)),
        not_finite=int(numbers.size - finite.size),
        histogram=[int(count) for count in counts],
    )
