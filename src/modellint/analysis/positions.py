"""Tables of positions, such as learned embeddings, and whether they are long enough."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.analysis.shapes import DeployedTypes
from modellint.base.memo import Remembered
from modellint.base.records import dataclass
from modellint.model import Model, Node, Value
from modellint.operators import Trait, having, of

_MOVES = having(Trait.VIEW, Trait.CAST)
REACH = 8
"""Limit on the values between an input and the table."""


@dataclass(frozen=True, slots=True)
class _PositionTable:
    rows: int
    index: Value
    """The rows that are read, or the tokens whose positions they are."""
    axis: int | None
    """Axis of the tokens in `index`; None if it may have others."""
    is_fed: bool
    """True if the positions come with the tokens, as many as those and the cached ones."""


_TABLES: Remembered[tuple[_PositionTable, ...]] = Remembered()


def positions_suffice(model: Model, types: DeployedTypes, cached: int) -> bool:
    """Return False if a table is known to be shorter than the sequence including the cache."""
    tables = model.memo.get(_TABLES, None, lambda: tuple(_tables(model)))
    return all(_suffices(table, types, cached) for table in tables)


def _suffices(table: _PositionTable, types: DeployedTypes, cached: int) -> bool:
    if not table.is_fed:
        numbers = types.numbers(table.index)
        if numbers is not None:
            return not numbers.size or int(numbers.max()) < table.rows
        cached = 0
    shape = types.shape(table.index)
    axis = table.axis
    length = shape[axis] if axis is not None and shape and len(shape) >= -axis else None
    return not isinstance(length, int) or length + cached <= table.rows


def _tables(model: Model) -> Iterator[_PositionTable]:
    for node in model.graph.nodes:
        place = of(node).place("positions")
        if place is not None:
            yield from _of_rotation(node, node.input(place))
        elif node.op_type == "Gather":
            yield from _of_gather(node)


def _of_rotation(node: Node, table: Value | None) -> Iterator[_PositionTable]:
    """Iterate over the table of an op that rotates by position: as many rows as positions."""
    data = node.input(0)
    if table is not None and table.tensor is not None and len(table.tensor.shape) == 2 and data:
        yield _PositionTable(table.tensor.shape[0], data, -2, is_fed=True)


def _of_gather(node: Node) -> Iterator[_PositionTable]:
    table, index = node.input(0), node.input(1)
    if table is None or table.tensor is None or index is None or index.is_constant:
        return
    if len(table.tensor.shape) != 2 or node.get_int("axis", 0):
        return
    source = _source(index)
    if source.is_input:
        if "position" in source.name.lower():
            yield _PositionTable(table.tensor.shape[0], index, -1, is_fed=True)
    elif source.producer is not None:
        is_counted = source.producer.op_type == "Range"
        yield _PositionTable(table.tensor.shape[0], index, -1 if is_counted else None, is_fed=False)


def _source(value: Value) -> Value:
    """Return the value that a value is a view of."""
    for _ in range(REACH):
        node = value.producer
        source = node.input(0) if node is not None and node.op_type in _MOVES else None
        if source is None:
            break
        value = source
    return value
