"""Shapes of a TFLite model at another batch than the one that it was converted with.

A file states all shapes twice: for the batch of the conversion, usually 1, and with open dims.
Where first dims are all that is open, each is in proportion to the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modellint.model import DType, Inference, Model, Shape, Value
from modellint.operators import Trait, having

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIZED_BY_DATA = having(Trait.SIZED_BY_DATA)


class BatchSizes:
    """Shape inference for models whose inputs are open along the first axis alone."""

    def __init__(self, model: Model, stated: Mapping[Value, tuple[int, ...]]) -> None:
        self._graph = model.graph
        self._stated = {
            value: shape for value, shape in stated.items() if value.graph.parent is None
        }

    def __call__(
        self,
        inputs: Mapping[str, Shape],
        constants: Mapping[str, NDArray[Any]] | None = None,
        *,
        strict: bool = False,
    ) -> Inference:
        factor = self._factor(inputs)
        if factor is None:
            return Inference({})
        types: dict[tuple[str, str], tuple[DType | None, Shape | None]] = {}
        for value, shape in self._stated.items():
            declared = value.declared_shape or ()
            if value.graph is self._graph and len(declared) == len(shape) and declared[0] is None:
                sizes = (shape[0] * factor, *declared[1:])
                types[self._graph.path, value.name] = (value.declared_dtype, sizes)
        return Inference(types)

    def _factor(self, inputs: Mapping[str, Shape]) -> int | None:
        """Return how many times the stated batch the given one is; None if more is open."""
        if any(None in (value.declared_shape or ())[1:] for value in self._stated):
            return None
        factors = set()
        for value in self._graph.inputs:
            stated, given = self._stated.get(value), inputs.get(value.name)
            if stated is None:
                continue
            if given is None or len(given) != len(stated) or stated[0] < 1:
                return None
            size = given[0]
            if not isinstance(size, int) or size % stated[0]:
                return None
            factors.add(size // stated[0])
        if len(factors) != 1 or any(node.op_type in _SIZED_BY_DATA for node in self._graph.nodes):
            return None
        return factors.pop()
