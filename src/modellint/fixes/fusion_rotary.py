"""Rotary embeddings by their operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from modellint.analysis.attention import Rotation, Rotations
from modellint.analysis.chains import LONGEST
from modellint.analysis.folding import folding
from modellint.analysis.fusion import number, other_input
from modellint.checks.api import Context, Hit
from modellint.fixes.building import instead, tolerance_of
from modellint.fixes.compat import once_raised
from modellint.fixes.conditions import integers, is_settled
from modellint.model import Node, Shape, Value
from modellint.model.edits import AddTensor, Fix, NewNode, Operand

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIRST = 23
"""The operator set with RotaryEmbedding."""
_RANK = 4
"""Batch, heads, length and size."""


class _Rotated(NamedTuple):
    """Operands of a rotation."""

    data: Value
    cosine: Value
    sine: Value


def use_operator(context: Context, hit: Hit) -> Fix | None:
    """Rotate by the operator, which takes one half of the cosines and sines, if they are equal."""
    found = next((r for r in context.analysis(Rotations).found if r.last is hit.place), None)
    rotated = _rotated(context, found) if found is not None else None
    result = found.last.output() if found is not None else None
    if found is None or rotated is None or result is None:
        return None
    tolerance, shape = tolerance_of(result), context.shape(rotated.data)
    caches = [
        _Cache(context, value, rotated.data, f"{result.name}_{name}")
        for name, value in (("cosines", rotated.cosine), ("sines", rotated.sine))
    ]
    if tolerance is None or shape is None or not all(cache.is_plain for cache in caches):
        return None
    made = [node for cache in caches for node in cache.nodes()]
    inputs: list[Operand] = [rotated.data, *(cache.name for cache in caches)]
    made.append(NewNode("RotaryEmbedding", tuple(inputs), (result,), name=found.last.name))
    tensors = {each.name: each for cache in caches for each in cache.tensors()}
    edits = (*tensors.values(), *instead(found.nodes, found.last, *made))
    fix = Fix(edits, f"Rotates '{rotated.data.name}' by RotaryEmbedding.", tolerance=tolerance)
    return once_raised(context, found.last.graph, _FIRST, fix)


def _rotated(context: Context, found: Rotation) -> _Rotated | None:
    """Return the operands of a rotation whose second half is negated and comes first."""
    by_op = {op: [n for n in found.nodes if n.op_type == op] for op in ("Neg", "Concat", "Mul")}
    if [len(nodes) for nodes in by_op.values()] != [1, 1, 2]:
        return None
    neg, concat = by_op["Neg"][0], by_op["Concat"][0]
    sine = next((n for n in by_op["Mul"] if concat.output() in n.inputs), None)
    cosine = next((n for n in by_op["Mul"] if n is not sine), None)
    second, first = neg.input(0), concat.input(1)
    halves = [half.producer for half in (first, second) if half is not None]
    data = halves[0].input(0) if halves and halves[0] is not None else None
    shape = context.shape(data) if data is not None else None
    if sine is None or cosine is None or data is None or shape is None or len(shape) != _RANK:
        return None
    size = shape[-1]
    is_turned = concat.input(0) is neg.output() and _is_last(concat.get_int("axis"), _RANK)
    if not is_turned or not isinstance(size, int) or size % 2 or size < 2:
        return None
    if [_begin(context, half, size) for half in (first, second)] != [0, size // 2]:
        return None
    cosines, sines = other_input(cosine, data), other_input(sine, concat.output())
    return _Rotated(data, cosines, sines) if cosines is not None and sines is not None else None


def _begin(context: Context, half: Value | None, size: int) -> int | None:
    """Return where a half of the last axis begins in the whole; None if it is not a half."""
    node = half.producer if half is not None else None
    if half is None or node is None:
        return None
    if node.op_type == "Split":
        is_half = (context.shape(half) or ())[-1:] == (size // 2,) and len(node.outputs) == 2
        is_along = _is_last(node.get_int("axis", 0), _RANK)
        return node.outputs.index(half) * size // 2 if is_half and is_along else None
    known = context.analysis(folding)
    stated = [known.integers(value) if value is not None else None for value in node.inputs[1:]]
    if len(stated) < 3 or any(each is None or len(each) != 1 for each in stated):
        return None
    (begin,), (end,), (axis,), *steps = [each for each in stated if each is not None]
    is_half = begin >= 0 and min(end, size) - begin == size // 2 and steps in ([], [[1]])
    return begin if is_half and _is_last(axis, _RANK) else None


def _is_last(axis: int | None, rank: int) -> bool:
    return axis in (-1, rank - 1)


class _Cache:
    """Cosines or sines as the operator takes them: batch, length, and half of the size."""

    def __init__(self, context: Context, value: Value, data: Value, name: str) -> None:
        self.name = name
        self._value, self._data = value, data
        self._shape: Shape = context.shape(value) or ()
        self._wanted: Shape = context.shape(data) or ()

    @property
    def is_plain(self) -> bool:
        """Return True if both halves are equal, and the same for all heads."""
        shape, wanted = self._shape, self._wanted
        if len(shape) not in (2, _RANK) or shape[-2:] != wanted[-2:]:
            return False
        if len(shape) == _RANK and (shape[1] != 1 or not self._may_be_expanded(shape[0])):
            return False
        return _has_equal_halves(self._value, shape[-1])

    def _may_be_expanded(self, batch: object) -> bool:
        """Return True for the size of the batch, for one, and for a size that is open, which can
        be no other where the two are multiplied."""
        return batch in (1, self._wanted[0]) or isinstance(batch, str)

    @property
    def _is_shared(self) -> bool:
        """Return True if it may have to be repeated for each sample."""
        return self._wanted[0] != (1 if len(self._shape) == 2 else self._shape[0])

    def nodes(self) -> Iterator[NewNode]:
        half = f"{self.name}_half"
        yield NewNode(
            "Slice", (self._value, "index_0", self._size, "index_last"), (half,), name=half
        )
        flat = f"{self.name}_flat" if self._is_shared else self.name
        op, axis = ("Squeeze", "index_1") if len(self._shape) == _RANK else ("Unsqueeze", "index_0")
        yield NewNode(op, (half, axis), (flat,), name=flat)
        if self._is_shared:
            batch, sizes = f"{self.name}_batch", f"{self.name}_sizes"
            yield NewNode("Shape", (self._data,), (batch,), {"start": 0, "end": 1}, name=batch)
            ones = (batch, "index_1", "index_1")
            yield NewNode("Concat", ones, (sizes,), {"axis": 0}, name=sizes)
            yield NewNode("Expand", (flat, sizes), (self.name,), name=self.name)

    def tensors(self) -> Iterator[AddTensor]:
        graph = self._data.graph
        for name, index in (("index_0", 0), ("index_1", 1), ("index_last", -1)):
            yield integers(name, graph, (index,))
        yield integers(self._size, graph, (self._half,))

    @property
    def _half(self) -> int:
        size = self._wanted[-1]
        return size // 2 if isinstance(size, int) else 0

    @property
    def _size(self) -> str:
        return f"index_{self._half}_end"


def _has_equal_halves(value: Value, size: object) -> bool:
    """Return True for two copies of the same values along the last axis."""
    for _ in range(LONGEST):
        if value.tensor is not None:
            return is_settled(value) and _is_doubled(value)
        node = value.producer
        if node is None:
            return False
        if node.op_type == "Concat":
            rank = len(value.shape or ())
            is_last = _is_last(node.get_int("axis"), rank) and (value.shape or ())[-1:] == (size,)
            return is_last and len(node.inputs) == 2 and node.inputs[0] is node.inputs[1]
        source = _source(node)
        if source is None:
            return False
        value = source
    return False


def _source(node: Node) -> Value | None:
    """Return the inputs of an elementwise node."""
    if node.op_type in ("Cast", "Cos", "Sin", "Unsqueeze", "Identity"):
        return node.input(0)
    if node.op_type == "Mul" and number(node.input(1)) is not None:
        return node.input(0)
    return None


def _is_doubled(value: Value) -> bool:
    stored = value.tensor.numpy() if value.tensor is not None else None
    if stored is None or not stored.ndim or stored.shape[-1] % 2:
        return False
    half = stored.shape[-1] // 2
    return bool((stored[..., :half] == stored[..., half:]).all())
