"""Shapes that a model computes for a Reshape, of which ONNX Runtime makes a constant.

It does so before it places nodes. What joins numbers and dims of the value that is reshaped becomes
a constant, with 0 for a dim that stays where it is and -1 for one that is computed, if there is no
more than one of those (onnxruntime/core/optimizer/reshape_fusion.cc, version 1.32).
"""

from __future__ import annotations

import math
from collections import defaultdict

from modellint.analysis.duplicates import Repeated
from modellint.analysis.folding import folding
from modellint.forms.facts import Facts
from modellint.model import Model, Node, Value
from modellint.operators import Trait, having, with_input
from modellint.targets.deployment import Deployment

_RESHAPES = having(Trait.RESHAPES).keys() & with_input("shape").keys()
_JOINS = having(Trait.CONCATENATES)
_ADDS_AXES = having(Trait.RESHAPES).keys() & with_input("axes").keys()
_SHAPES, _SELECTS = having(Trait.READS_SHAPE), having(Trait.SELECTS)
_STAYS, _COMPUTED = 0, -1


def shape_makers(facts: Facts) -> frozenset[int]:
    """Return the ids of nodes that only compute shapes that become constants."""
    unread, repeated = _Unread(), _Repeated(facts)
    for node in facts.model.graph.ordered:
        joint = repeated.only_shape_of(node)
        if joint is not None and _is_stored(facts, node, joint):
            unread.add(joint)
    return frozenset(unread.ids)


class _Repeated:
    """Nodes that ONNX Runtime computes once although a model has them twice."""

    def __init__(self, facts: Facts) -> None:
        self._first = facts.analysis(Repeated).twins
        self._later: dict[int, list[Node]] = defaultdict(list)
        for node in facts.model.graph.ordered:
            if id(node) in self._first:
                self._later[id(self._first[id(node)])].append(node)
        self._readers: dict[int, Node | None] = {}
        """The only readers of nodes and of those like them, by the nodes' ids."""

    def only_shape_of(self, node: Node) -> Node | None:
        """Return what joins the shape of a Reshape, if nothing else reads it."""
        shape = node.input(1) if node.op_type in _RESHAPES and not node.domain else None
        joint = shape.producer if shape is not None else None
        if joint is None or joint.op_type not in _JOINS or node.get_int("allowzero", 0):
            return None
        first = self._first.get(id(joint), joint)
        if id(first) not in self._readers:
            self._readers[id(first)] = self._only_reader(first)
        return joint if self._readers[id(first)] is node else None

    def _only_reader(self, first: Node) -> Node | None:
        alike = [value for each in (first, *self._later[id(first)]) for value in each.outputs]
        readers: dict[int, Node] = {}
        for value in filter(None, alike):
            if value.is_output:
                return None
            readers |= {
                id(use.node): use.node for use in value.consumers if id(use.node) not in self._first
            }
        return next(iter(readers.values())) if len(readers) == 1 else None


class _Unread:
    """Nodes that nothing reads any more."""

    def __init__(self) -> None:
        self.ids: set[int] = set()
        self._left: dict[int, float] = {}
        """Number of times that nodes are still read, by their ids."""

    def add(self, node: Node) -> None:
        """Add a node, and what computes its inputs and nothing else."""
        waiting = [node]
        while waiting:
            each = waiting.pop()
            self.ids.add(id(each))
            makers = [value.producer for value in each.inputs if value is not None]
            waiting += [maker for maker in makers if maker is not None and self._is_left(maker)]

    def _is_left(self, maker: Node) -> bool:
        """Count one reader less, and return True if it was the last."""
        left = self._left.get(id(maker))
        left = (_reads(maker) if left is None else left) - 1
        self._left[id(maker)] = left
        return not left


def _reads(node: Node) -> float:
    """Return how often a node's results are read, without end if the model returns one."""
    results = [value for value in node.outputs if value is not None]
    is_returned = any(value.is_output for value in results)
    return math.inf if is_returned else sum(len(value.consumers) for value in results)


def _is_stored(facts: Facts, node: Node, joint: Node) -> bool:
    data, numbers = node.input(0), list[int]()
    for value in joint.inputs:
        if data is None or value is None:
            return False
        stored = facts.analysis(folding).integers(value) if facts.is_frozen(value) else None
        if stored is not None:
            numbers += stored
        elif _is_dim(facts, value, data, len(numbers)):
            numbers.append(_STAYS)
        elif facts.shape(value) == (1,):
            numbers.append(_COMPUTED)
        else:
            return False
    return numbers.count(_COMPUTED) <= 1


def _is_dim(facts: Facts, value: Value, data: Value, place: int) -> bool:
    """Return True for the dim of the data at a place, as a tensor of one element."""
    unsqueezed = value.producer
    selected = _maker_of_input(unsqueezed)
    shape = _maker_of_input(selected)
    if unsqueezed is None or selected is None or shape is None:
        return False
    source, index = shape.input(0), selected.input(1)
    return (
        unsqueezed.op_type in _ADDS_AXES
        and selected.op_type in _SELECTS
        and shape.op_type in _SHAPES
        and not shape.get_int("start", 0)
        and "end" not in shape.attributes
        and source is not None
        and index is not None
        and facts.analysis(folding).integers(index) == [place]
        and _have_same_dim(facts, source, data, place)
    )


def _maker_of_input(node: Node | None) -> Node | None:
    source = node.input(0) if node is not None else None
    return source.producer if source is not None else None


def _have_same_dim(facts: Facts, one: Value, other: Value, place: int) -> bool:
    """Return True for a number, or a name that the model's inputs declare, at both places."""
    if one is other:
        return True
    shapes = facts.shape(one) or (), facts.shape(other) or ()
    dims = {shape[place] if place < len(shape) else None for shape in shapes}
    names = facts.analysis(_declared_names)
    return len(dims) == 1 and all(isinstance(dim, int) or dim in names for dim in dims)


def _declared_names(model: Model, deployment: Deployment) -> frozenset[object]:
    return frozenset(dim for value in model.fed for dim in value.declared_shape or ()) - {None}
