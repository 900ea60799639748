"""Shapes of a SavedModel for given shapes of its inputs.

TensorFlow states the shapes of all results, with open dims that come from those of the inputs. Here
they are computed again, operator by operator, together with the numbers that shapes are made of. A
result that contradicts what the file states is left open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from modellint.formats.savedmodel.formulas import sizes_of
from modellint.formats.savedmodel.given import MISTAKES, MOST_NUMBERS, KnownValues, Sizes
from modellint.formats.savedmodel.numbers import numbers_of
from modellint.model import HIGHEST_RANK, MOST, DType, Inference, Model, Shape, Value, is_static
from modellint.model.graph import Graph, Node

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BODY = "body"
"""Name of the subgraph that a loop runs in each round."""


class SavedModelSizes:
    """Shape inference for the main graph, and for the branches inside of it."""

    def __init__(self, model: Model) -> None:
        self._graph = model.graph

    def __call__(
        self,
        inputs: Mapping[str, Shape],
        constants: Mapping[str, NDArray[Any]] | None = None,
        *,
        strict: bool = False,
        unrecorded: bool = False,
    ) -> Inference:
        known = _Known(inputs)
        for node in self._graph.ordered:
            known.add(node)
        path = self._graph.path
        types: dict[tuple[str, str], tuple[DType | None, Shape | None]] = {
            (path, value.name): (value.declared_dtype, inputs[value.name])
            for value in self._graph.inputs
            if value.name in inputs
        }
        for value, sizes in known.sizes.items():
            types[value.graph.path, value.name] = value.declared_dtype, sizes
        return Inference(types)


class _Known:
    """Shapes so far, and the numbers among values that are computed from shapes alone."""

    def __init__(self, inputs: Mapping[str, Shape]) -> None:
        self._inputs = inputs
        self.sizes: dict[Value, Sizes] = {}
        self.numbers: dict[Value, tuple[int, ...] | None] = {}

    def add(self, node: Node) -> None:
        """Compute the shapes of a node's results, as far as the file leaves them open."""
        given = KnownValues(node, self.shape, self.number)
        is_open = any(self.shape(value) is None for value in node.outputs if value is not None)
        try:
            found = self._sizes(node, given) if is_open else ()
        except MISTAKES:
            found = ()
        for value, sizes in zip(node.outputs, found, strict=False):
            if value is not None and _fits(sizes, value.declared_shape):
                self.sizes[value] = sizes
        first = node.output()
        shape = self.shape(first)
        if first is not None and shape is not None and _may_be_sizes(first, shape):
            numbers = _numbers(node, given)
            self.numbers[first] = numbers if _are_of(numbers, shape) else None

    def _sizes(self, node: Node, given: KnownValues) -> Sequence[Sizes]:
        if not node.subgraphs:
            return sizes_of(node, given)
        body = node.subgraphs.get(_BODY)
        if body is not None:
            return self._loop(node, body)
        for graph in node.subgraphs.values():
            for inner in graph.ordered:
                self.add(inner)
        results = [tuple(map(self.shape, graph.outputs)) for graph in node.subgraphs.values()]
        return _whole(results[0]) if len(set(results)) == 1 else ()

    def _loop(self, node: Node, body: Graph) -> Sequence[Sizes]:
        """Return what a loop is given, if all rounds have the shapes of the first one."""
        entered = [self.shape(value) for value in node.inputs]
        for value, sizes in zip(body.inputs, entered, strict=False):
            if sizes is not None and _fits(sizes, value.declared_shape):
                self.sizes[value] = sizes
        for inner in body.ordered:
            self.add(inner)
        if entered == [self.shape(value) for value in body.outputs]:
            return _whole(entered)
        for graph in body.walk():
            for value in graph.values.values():
                self.sizes.pop(value, None)
        return ()

    def shape(self, value: Value | None) -> Sizes | None:
        """Return a shape without open dims."""
        if value is None:
            return None
        shape: Shape | None = self.sizes.get(value)
        if shape is None:
            given = self._inputs.get(value.name) if value.is_input else None
            shape = given if given is not None else value.declared_shape
        if shape is None or not is_static(shape):
            return None
        return tuple(dim for dim in shape if isinstance(dim, int))

    def number(self, value: Value | None) -> tuple[int, ...] | None:
        """Return the integers of a scalar or vector that is known."""
        if value is None or value.tensor is None:
            return self.numbers.get(value) if value is not None else None
        if value not in self.numbers:
            self.numbers[value] = _stored(value)
        return self.numbers[value]


def _whole(shapes: Sequence[Sizes | None]) -> Sequence[Sizes]:
    """Return shapes if all are known."""
    known = [sizes for sizes in shapes if sizes is not None]
    return known if len(known) == len(shapes) else ()


def _stored(value: Value) -> tuple[int, ...] | None:
    tensor = value.tensor
    if tensor is None or tensor.elements > MOST_NUMBERS:
        return None
    return tensor.small_integers()


def _numbers(node: Node, given: KnownValues) -> tuple[int, ...] | None:
    try:
        return numbers_of(node, given)
    except MISTAKES:
        return None


def _may_be_sizes(value: Value, sizes: Sizes) -> bool:
    is_number = value.declared_dtype is not None and value.declared_dtype.is_integer
    return is_number and len(sizes) < 2 and sum(sizes) <= MOST_NUMBERS


def _are_of(numbers: tuple[int, ...] | None, sizes: Sizes) -> bool:
    """Return True for as many numbers as a shape has, none of them larger than the type holds.

    Without that, they could double at each node of a file that contradicts itself.
    """
    if numbers is None or len(numbers) != prod(sizes):
        return False
    return all(abs(number) <= MOST for number in numbers)


def _fits(sizes: Sizes, declared: Shape | None) -> bool:
    """Return True for a shape that a tensor can have, and that the file does not contradict."""
    if len(sizes) > HIGHEST_RANK or not all(0 <= size <= MOST for size in sizes):
        return False
    if declared is None:
        return True
    return len(declared) == len(sizes) and all(
        not isinstance(stated, int) or stated == size
        for stated, size in zip(declared, sizes, strict=True)
    )
