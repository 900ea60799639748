"""Length of the lists that onnx's shape inference fills with the elements of tensors.

To propagate data, it keeps some 80 bytes for each element of whatever has one dim.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum, auto
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING

from modellint.formats.onnx.types import type_of
from modellint.model import HIGHEST_RANK, Model, Node, Shape, Value, element_count
from modellint.operators import Trait, names, with_input

if TYPE_CHECKING:
    from onnx import GraphProto

LONGEST_LIST, MOST_LISTED = 1 << 20, 1 << 22
"""Elements for one tensor, and for all."""
_PROPAGATED = frozenset(names(Trait.PROPAGATED))
_LENGTHENING = frozenset(names(Trait.STRETCHED, Trait.RESHAPES))
"""Ops whose results may be lists that are longer than all that they are given."""
_SHAPES = frozenset(names(Trait.READS_SHAPE))
_JOINS = frozenset(names(Trait.CONCATENATES))
_SHAPED = with_input("shape")
_REDUCES = frozenset(names(Trait.REDUCES, Trait.MEAN))
_LOWERS = frozenset(("Squeeze", *with_input("any-index")))
_KEEPS = frozenset(
    (
        *names(Trait.POINTWISE, Trait.ACTIVATION, Trait.NORMALIZATION, Trait.SOFTMAX),
        *names(Trait.QUANTIZE, Trait.DEQUANTIZE, Trait.TRANSPARENT, Trait.TRANSPOSE),
        *names(Trait.CONVOLUTION, Trait.POOL, Trait.BROADCAST, Trait.PROPAGATED),
        *({*names(Trait.MOVES)} - {*names(Trait.RESHAPES)}),
    )
).difference(_LOWERS)
"""Ops whose results have as many dims as the input that has most."""
_PRODUCTS = frozenset(names(Trait.MATMUL))
"""The same, but for vectors."""


class Lists(Enum):
    """Length of the lists that onnx would fill."""

    SHORT = auto()
    LONG = auto()
    """They would fill the memory."""
    UNKNOWN = auto()


class ListLengths:
    """Lists of a model, by what is known before and after inference that fills none."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def before(self, inputs: Mapping[str, Shape]) -> Lists | None:
        """Return what is known without inference; None if it has to be asked.

        It has to where something is as large to begin with, and a Reshape may make a list of it,
        or where other operators may make lists of any length, such as a Tile.
        """
        if not self._count:
            return Lists.SHORT
        if not self._joins_short_ones:
            return Lists.LONG
        longest = self._largest(inputs) * self._count
        is_short = longest <= MOST_LISTED and not self._may_lengthen
        return Lists.SHORT if is_short or self._are_known_short(inputs) else None

    def after(self, inferred: GraphProto) -> Lists:
        """Return the same by what inference says that propagates no data."""
        infos = (*inferred.input, *inferred.value_info, *inferred.output)
        shapes = {info.name: type_of(info.type).shape for info in infos}
        stored = (tensor.shape for tensor in self._model.tensors)
        if sum(map(_listed, (*shapes.values(), *stored))) > MOST_LISTED:
            return Lists.LONG
        bounds = _Bounds(self._model, shapes)
        longest = max(map(bounds.length, self._handled()), default=0)
        return Lists.UNKNOWN if longest > MOST_LISTED else Lists.SHORT

    @cached_property
    def _count(self) -> int:
        """Return the number of nodes whose outputs' elements onnx may keep."""
        return sum(1 for _ in self._nodes())

    @cached_property
    def _may_lengthen(self) -> bool:
        graphs = self._model.graphs(functions=True)
        return any(_LENGTHENING & graph.by_op.keys() for graph in graphs) and any(
            _listed_at_most(value.known_shape) > MOST_LISTED for value in self._handled()
        )

    def _nodes(self) -> Iterator[Node]:
        return self._model.nodes(*_PROPAGATED, functions=True)

    def _handled(self) -> Iterator[Value]:
        """Iterate over what such nodes are given and return."""
        for node in self._nodes():
            yield from (value for value in (*node.inputs, *node.outputs) if value is not None)

    @cached_property
    def _joins_short_ones(self) -> bool:
        """Return False if Concats of Concats can make a list of any length from next to nothing."""
        graphs = self._model.graphs(functions=True)
        if not any(_JOINS & graph.by_op.keys() for graph in graphs):
            return True
        lengths: dict[int, int] = {}
        for graph in graphs:
            for node in graph.nodes:
                if node.op_type in _PROPAGATED and node.outputs:
                    given = [_length(value, lengths) for value in node.inputs if value is not None]
                    length = sum(given) if node.op_type in _JOINS else max(given, default=0)
                    if node.op_type in _SHAPES:
                        length = HIGHEST_RANK
                    if length > LONGEST_LIST:
                        return False
                    lengths[id(node.outputs[0])] = length
        return True

    def _are_known_short(self, inputs: Mapping[str, Shape]) -> bool:
        """Return True if all 1-D tensors are known to be short, and `inputs` only set open dims."""
        model = self._model
        if model.functions:
            return False
        for name, shape in inputs.items():
            declared = model.graph.values[name].declared_shape
            if declared is None or len(declared) != len(shape):
                return False
            pairs = zip(declared, shape, strict=True)
            if any(isinstance(old, int) and old != new for old, new in pairs):
                return False
        lengths = [
            _listed_at_most(value.known_shape)
            for inner in model.graphs()
            for value in inner.values.values()
        ]
        return sum(lengths) <= MOST_LISTED

    def _largest(self, inputs: Mapping[str, Shape]) -> int:
        """Return the number of elements of the largest stored tensor, input or recorded list."""
        declared = {value.name: value.declared_shape for value in self._model.inputs}
        shapes = {**declared, **inputs}.values()
        counts = (element_count(shape) or 0 for shape in shapes)
        return max([self._largest_stored, self._longest_recorded, *counts])

    @cached_property
    def _largest_stored(self) -> int:
        return max([tensor.elements for tensor in self._model.tensors], default=0)

    @cached_property
    def _longest_recorded(self) -> int:
        graphs = self._model.graphs(functions=True)
        shapes = (value.declared_shape for graph in graphs for value in graph.values.values())
        return max(map(_listed, shapes), default=0)


class _Bounds:
    """Bounds for values whose shapes inference does not tell: on their number of dims from below,
    and on the elements of those with one dim from above."""

    def __init__(self, model: Model, shapes: Mapping[str, Shape | None]) -> None:
        self._outermost, self._shapes = model.graph, shapes
        self._ranks: dict[int, int] = {}
        self._lengths: dict[int, float] = {}
        for graph in model.graphs(functions=True):
            for node in graph.ordered:
                unknown = [each for each in node.outputs if each and not self._is_known(each)]
                if unknown:
                    self._bound(node, unknown)

    def _bound(self, node: Node, results: Sequence[Value]) -> None:
        rank = self._rank_of_results(node)
        length = self._length_of_results(node) if rank < 2 else 0
        for value in results:
            self._ranks[id(value)], self._lengths[id(value)] = rank, length

    def length(self, value: Value) -> float:
        """Return an upper bound on the length of the list that a value is; 0 if it is none."""
        if self._is_known(value):
            return _listed(self._shape(value))
        return self._lengths.get(id(value), HIGHEST_RANK)

    def _is_known(self, value: Value) -> bool:
        """Return True if the length of a list is known, or that a value is none."""
        shape = self._shape(value)
        return shape is not None and (len(shape) != 1 or isinstance(shape[0], int))

    def _shape(self, value: Value) -> Shape | None:
        inferred = self._shapes.get(value.name) if value.graph is self._outermost else None
        return inferred if inferred is not None else value.known_shape

    def _rank(self, value: Value | None) -> int:
        shape = self._shape(value) if value is not None else None
        return len(shape) if shape is not None else self._ranks.get(id(value), 0)

    def _rank_of_results(self, node: Node) -> int:
        op = node.op_type
        if node.domain or op in _SHAPES:
            return 0
        if op in _SHAPED:
            return max(self._elements(node.input(at)) for at in _SHAPED[op])
        if op in _REDUCES:
            return self._rank(node.input(0)) if node.get_int("keepdims", 1) else 0
        ranks = [self._rank(value) for value in node.inputs if value is not None]
        is_product = op in _PRODUCTS and min(ranks, default=0) > 1
        return max(ranks, default=0) if op in _KEEPS or is_product else 0

    def _elements(self, value: Value | None) -> int:
        """Return the elements of a shape, one for each dim; 0 if they are not known."""
        shape = self._shape(value) if value is not None else None
        first = shape[0] if shape is not None and len(shape) == 1 else None
        return first if isinstance(first, int) else 0

    def _length_of_results(self, node: Node) -> float:
        op = node.op_type
        if op in _SHAPES:
            return HIGHEST_RANK
        makes_lists = op in _LOWERS and self._rank(node.input(0)) > 1
        if node.domain or op not in _PROPAGATED or makes_lists:
            return inf
        lengths = [self.length(value) for value in node.inputs if value is not None]
        return sum(lengths) if op in _JOINS else max(lengths, default=0)


def _length(value: Value, lengths: Mapping[int, int]) -> int:
    """Return about how many elements onnx keeps of a value."""
    if value.tensor is not None:
        return value.tensor.elements if value.tensor.small else 0
    if value.producer is None:
        return max(HIGHEST_RANK, _listed(value.declared_shape))
    return lengths.get(id(value), 0)


def _listed(shape: Shape | None) -> int:
    return (element_count(shape) or 0) if shape is not None and len(shape) == 1 else 0


def _listed_at_most(shape: Shape | None) -> int:
    """Return the length of the list that a tensor may become; too many if that is not known."""
    if shape is None:
        return MOST_LISTED + 1
    if len(shape) != 1:
        return 0
    return shape[0] if isinstance(shape[0], int) else MOST_LISTED + 1
