"""Shapes of a TFLite model at another batch than the one that it was converted with.

A file states all shapes twice: with open dims, and with a number, usually 1, for each of them.
Where only the first dim is open, it grows with the batch. Operators that move elements between
the batch and other dims change its size: converters state 1 there too, whatever it comes to.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from modellint.model import DType, Inference, Model, Node, Shape, Value, product, small_integers
from modellint.operators import Trait, having

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIZED_BY_DATA = having(Trait.SIZED_BY_DATA)
_KEEPS_ELEMENTS = having(Trait.RESHAPES)
_RESIZES_FIRST = {**having(Trait.CONCATENATES), **having(Trait.SELECTS), **having(Trait.BROADCAST)}
"""May join or cut along the first axis: nothing is said where that is the open one."""


class BatchSizes:
    """Shape inference for models whose inputs are open along the first axis alone."""

    def __init__(self, model: Model, stated: Mapping[Value, tuple[int, ...]]) -> None:
        self._graph = model.graph
        self._stated = {
            value: shape for value, shape in stated.items() if value.graph is model.graph
        }

    def __call__(
        self,
        inputs: Mapping[str, Shape],
        constants: Mapping[str, NDArray[Any]] | None = None,
        *,
        strict: bool = False,
        unrecorded: bool = False,
    ) -> Inference:
        factor = self._factor(inputs)
        if factor is None:
            return Inference({})
        sizes = self._sizes(factor)
        types: dict[tuple[str, str], tuple[DType | None, Shape | None]] = {
            (self._graph.path, value.name): (value.declared_dtype, shape)
            for value, shape in sizes.items()
        }
        return Inference(types)

    def _factor(self, inputs: Mapping[str, Shape]) -> int | None:
        """Return how many times the stated batch the given one is; None if more is open."""
        factors = set()
        for value in self._graph.inputs:
            stated, given = self._stated.get(value), inputs.get(value.name)
            if stated is None:
                continue
            if given is None or len(given) != len(stated) or not self._is_open_batch(value):
                return None
            size = given[0]
            if not isinstance(size, int) or stated[0] < 1 or size % stated[0]:
                return None
            factors.add(size // stated[0])
        if len(factors) != 1 or any(node.op_type in _SIZED_BY_DATA for node in self._graph.nodes):
            return None
        return factors.pop()

    def _is_open_batch(self, value: Value) -> bool:
        declared, stated = value.declared_shape or (), self._stated.get(value, ())
        return (
            bool(declared)
            and len(declared) == len(stated)
            and declared[0] is None
            and None not in declared[1:]
        )

    def _sizes(self, factor: int) -> dict[Value, tuple[int, ...]]:
        """Return the shapes of values that are open along the first axis, where they are known."""
        sizes = {
            value: (self._stated[value][0] * factor, *self._stated[value][1:])
            for value in self._graph.inputs
            if self._is_open_batch(value)
        }
        for node in self._graph.nodes:
            for value in node.outputs:
                if value is None or not self._is_open_batch(value):
                    continue
                first = self._first(node, value, sizes)
                if first is not None:
                    sizes[value] = (first, *self._stated[value][1:])
        return sizes

    def _first(
        self, node: Node, result: Value, sizes: Mapping[Value, tuple[int, ...]]
    ) -> int | None:
        """Return a result's first dim, from the shapes of the node's inputs."""
        read = [value for value in node.inputs if value in self._stated]
        if not read or any(value not in sizes for value in read):
            return None
        source = sizes[read[0]]
        if node.op_type in _KEEPS_ELEMENTS:
            rest = prod(self._stated[result][1:])
            return prod(source) // rest if rest and prod(source) % rest == 0 else None
        if node.op_type in having(Trait.FOLDS_BATCH):
            block = small_integers(node.input(1))
            if block is None:
                return None
            times = product(block)
            if times < 1:
                return None
            if node.op_type.startswith("SPACE"):
                return source[0] * times
            return source[0] // times if source[0] % times == 0 else None
        if node.op_type in having(Trait.GEMM) and len(source) != len(self._stated[result]):
            return None
        if node.op_type in _RESIZES_FIRST and source[1:] == self._stated[result][1:]:
            return None
        firsts = {sizes[value][0] for value in read}
        return firsts.pop() if len(firsts) == 1 else None
