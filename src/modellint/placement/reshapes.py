"""Shapes that a model computes for a Reshape, of which ONNX Runtime makes a constant.

It does so before it places nodes. What joins numbers and dims of the value that is reshaped becomes
a constant, with 0 for a dim that stays where it is and -1 for one that is computed, if there is no
more than one of those (onnxruntime/core/optimizer/reshape_fusion.cc, version 1.32).
"""

from __future__ import annotations

from collections import defaultdict

from modellint.analysis.duplicates import Repeated
from modellint.analysis.folding import folding
from modellint.forms.facts import Facts
from modellint.model import Node, Value
from modellint.operators import Trait, having, with_input

_RESHAPES = having(Trait.RESHAPES).keys() & with_input("shape").keys()
_JOINS = having(Trait.CONCATENATES)
_ADDS_AXES = having(Trait.RESHAPES).keys() & with_input("axes").keys()
_SHAPES, _SELECTS = having(Trait.READS_SHAPE), having(Trait.SELECTS)
_STAYS, _COMPUTED = 0, -1


def shape_makers(facts: Facts) -> frozenset[int]:
    """Return the ids of nodes that only compute shapes of which constants are made."""
    found: set[int] = set()
    repeated = _Repeated(facts)
    for node in facts.model.graph.ordered:
        joint = repeated.only_shape_of(node)
        if joint is not None and _is_stored(facts, node, joint):
            _add_unread(joint, found)
    return frozenset(found)


class _Repeated:
    """Nodes that ONNX Runtime computes once although a model has them twice."""

    def __init__(self, facts: Facts) -> None:
        self._first = facts.analysis(Repeated).twins
        self._later: dict[int, list[Node]] = defaultdict(list)
        for node in facts.model.graph.ordered:
            if id(node) in self._first:
                self._later[id(self._first[id(node)])].append(node)

    def only_shape_of(self, node: Node) -> Node | None:
        """Return what joins the shape of a Reshape, if nothing else reads it."""
        shape = node.input(1) if node.op_type in _RESHAPES and not node.domain else None
        joint = shape.producer if shape is not None else None
        if joint is None or joint.op_type not in _JOINS or node.get_int("allowzero", 0):
            return None
        first = self._first.get(id(joint), joint)
        alike = [value for each in (first, *self._later[id(first)]) for value in each.outputs]
        readers = [use.node for value in alike if value is not None for use in value.consumers]
        is_read = any(value is not None and value.is_output for value in alike)
        others = [each for each in readers if each is not node and id(each) not in self._first]
        return None if is_read or others else joint


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
    names = {dim for value in facts.model.fed for dim in value.declared_shape or ()}
    return len(dims) == 1 and all(isinstance(dim, int) or dim in names - {None} for dim in dims)


def _add_unread(node: Node, found: set[int]) -> None:
    """Add a node, and what computes its inputs and nothing else."""
    found.add(id(node))
    waiting = list(node.inputs)
    while waiting:
        value = waiting.pop()
        maker = value.producer if value is not None else None
        results = [each for each in maker.outputs if each is not None] if maker is not None else []
        is_read = any(
            each.is_output or any(id(use.node) not in found for use in each.consumers)
            for each in results
        )
        if maker is not None and id(maker) not in found and not is_read:
            found.add(id(maker))
            waiting += maker.inputs
