"""Meaning of an input's integers, as far as the operators that read them tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from modellint.base.records import dataclass
from modellint.model import Model, Node, Value, small_constant
from modellint.operators import Trait, having

REACH = 200
"""Limit on the uses that are followed from an input."""
_CARRIES = having(Trait.VIEW, Trait.MOVES, Trait.CONCATENATES, Trait.BROADCAST)
_INDICES: dict[str, tuple[int, int]] = {
    "Gather": (1, 0),
    "GatherElements": (1, 0),
    "ScatterElements": (1, 0),
    "com.microsoft.GatherBlockQuantized": (1, 0),
}
"""Operators that look elements up: the input with indices, and the one they are looked up in."""
_ROWS: dict[tuple[str, int], int] = {
    ("com.microsoft.EmbedLayerNormalization", 0): 2,
    ("com.microsoft.EmbedLayerNormalization", 1): 4,
    ("com.microsoft.RotaryEmbedding", 1): 2,
    ("RotaryEmbedding", 3): 1,
}
"""Inputs with indices of rows, and the input that has these rows."""
_SIZES: dict[str, int] = {
    "Reshape": 1,
    "Expand": 1,
    "Tile": 1,
    "ConstantOfShape": 0,
    "TopK": 1,
    "Range": 1,
    "OneHot": 1,
}
"""Operators and their input that states a size."""
_LENGTHS: dict[str, int] = {"LSTM": 4, "GRU": 4, "RNN": 4, "ReverseSequence": 1}
"""Operators and their input with the lengths of sequences; input 0 has the sequences."""


@dataclass(slots=True)
class Meaning:
    """Known meaning of an input's integers."""

    limit: int | None = None
    """One more than the largest index that all tables have."""
    choices: set[int] = field(default_factory=set)
    """Numbers that it is compared with."""
    is_size: bool = False
    is_length: bool = False
    is_truth: bool = False
    """True if it becomes a truth value or a float, as masks do."""

    def add_limit(self, limit: int) -> None:
        self.limit = limit if self.limit is None else min(self.limit, limit)


def meaning_of(model: Model, value: Value) -> Meaning:
    """Follow an input through views, moves and sums to what reads its numbers."""
    meaning = Meaning()
    pending, seen = [(value, 0)], {id(value)}
    while pending and len(seen) < REACH:
        current, offset = pending.pop(0)
        for node, index in current.consumers:
            _read(meaning, node, index, offset)
            for reached, added in _carried(model, node, index):
                if id(reached) not in seen:
                    seen.add(id(reached))
                    pending.append((reached, offset + added))
    return meaning


def _read(meaning: Meaning, node: Node, index: int, offset: int) -> None:
    op = node.qualified_op
    if op in _INDICES and index == _INDICES[op][0]:
        axis = node.get_int("axis", node.get_int("gather_axis", 0)) or 0
        _limit(meaning, _dim(node.input(_INDICES[op][1]), axis), offset)
    elif op in ("GatherND", "ScatterND") and index == 1:
        shape = node.inputs[0].shape if node.inputs[0] is not None else None
        for dim in (shape or ())[: _last_dim(node.input(1))]:
            _limit(meaning, dim if isinstance(dim, int) else None, offset)
    elif (op, index) in _ROWS:
        _limit(meaning, _dim(node.input(_ROWS[op, index]), 0), offset)
    elif op == "OneHot" and index == 0:
        depth = small_constant(node.input(1))
        _limit(meaning, int(depth.reshape(-1)[0]) if depth is not None else None, offset)
    elif op == "Equal":
        other = small_constant(node.input(1 - index))
        if other is not None and other.size == 1 and other.dtype.kind in "iu":
            meaning.choices.add(int(other.reshape(-1)[0]) - offset)
    elif _SIZES.get(op) == index:
        meaning.is_size = True
    elif _LENGTHS.get(op) == index:
        meaning.is_length = True
    elif op == "Cast":
        result = node.output()
        dtype = result.dtype if result is not None else None
        meaning.is_truth |= dtype is not None and (dtype.is_float or dtype.kind == "bool")


def _limit(meaning: Meaning, size: int | None, offset: int) -> None:
    if size is not None and size > offset:
        meaning.add_limit(size - offset)


def _dim(value: Value | None, axis: int) -> int | None:
    shape = value.shape if value is not None else None
    if shape is None or not -len(shape) <= axis < len(shape):
        return None
    dim = shape[axis]
    return dim if isinstance(dim, int) else None


def _last_dim(value: Value | None) -> int:
    return _dim(value, -1) or 1


def _carried(model: Model, node: Node, index: int) -> Iterator[tuple[Value, int]]:
    """Iterate over values with the same integers, and the offsets added on the way."""
    body = model.function_of(node)
    if body is not None:
        if index < len(body.inputs):
            yield body.inputs[index], 0
        return
    result = node.output()
    if result is None:
        return
    if node.op_type in ("Cast", "Identity", "Where", "Min") or (
        node.op_type in _CARRIES and (index == 0 or node.op_type == "Concat")
    ):
        if result.dtype is None or result.dtype.is_integer:
            yield result, 0
    elif node.op_type in ("Add", "Sub"):
        added = small_constant(node.input(1 - index))
        if added is not None and added.size and added.dtype.kind in "iu":
            yield result, int(added.max()) if node.op_type == "Add" else 0
