"""Bytes that a node reads and writes at the deployment's precision."""

from __future__ import annotations

from collections.abc import Sequence

from modellint.analysis.precision import activation_dtype, weight_dtype
from modellint.analysis.shapes import DeployedTypes
from modellint.model import Node, Value, element_count
from modellint.operators import Trait, having

_MOVES_NOTHING = having(Trait.VIEW, Trait.READS_SHAPE, Trait.CONSTANT)
_SELECTS = having(Trait.SELECTS)


def nbytes(value: Value, types: DeployedTypes, precision: str | None) -> int | None:
    """Return the deployed size of a value; None if its shape or type is unknown."""
    known, key = types.sizes(precision), id(value)
    if key not in known:
        known[key] = _measured(value, types, precision)
    return known[key]


def _measured(value: Value, types: DeployedTypes, precision: str | None) -> int | None:
    elements, dtype = element_count(types.shape(value)), value.dtype
    if value.type_name != "tensor" or elements is None or dtype is None or dtype.bits == 0:
        return None
    deployed = weight_dtype if value.is_constant else activation_dtype
    return deployed(dtype, precision).nbytes(elements)


def bytes_written(node: Node, types: DeployedTypes, precision: str | None) -> int | None:
    if node.op_type in _MOVES_NOTHING:
        return 0
    return total_of(
        [nbytes(value, types, precision) for value in node.outputs if value is not None]
    )


def bytes_read(node: Node, types: DeployedTypes, precision: str | None) -> int | None:
    if node.op_type in _MOVES_NOTHING:
        return 0
    values = {id(value): value for value in node.inputs if value is not None}
    if node.op_type in _SELECTS and node.inputs and node.inputs[0] is not None:
        values.pop(id(node.inputs[0]), None)
        selected = bytes_written(node, types, precision)
    else:
        selected = 0
    return total_of([selected, *(nbytes(value, types, precision) for value in values.values())])


def total_of(sizes: Sequence[int | None]) -> int | None:
    """Return the sum; None if a number is unknown."""
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None
