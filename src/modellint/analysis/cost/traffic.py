"""Bytes that a node reads and writes at the deployment's precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from modellint.analysis.precision import activation_dtype, weight_dtype
from modellint.analysis.shapes import DeployedTypes
from modellint.base.memo import Kept
from modellint.model import Node, Value, element_count
from modellint.operators import Trait, having

_MOVES_NOTHING = having(Trait.VIEW, Trait.READS_SHAPE, Trait.CONSTANT)
_SELECTS = having(Trait.SELECTS)


def nbytes(value: Value, types: DeployedTypes, precision: str | None) -> int | None:
    """Return the deployed size of a value; None if its shape or type is unknown."""
    return sizes_of(types, precision)[value]


def sizes_of(types: DeployedTypes, precision: str | None) -> Kept[Value, int | None]:
    """Return the deployed sizes of all values, each measured on first use."""
    known = types.sizes.get(precision)
    if known is None:
        known = types.sizes[precision] = Kept(lambda value: _measured(value, types, precision))
    return known


def _measured(value: Value, types: DeployedTypes, precision: str | None) -> int | None:
    elements = element_count(types.shape(value)) if value.type_name == "tensor" else None
    dtype = value.dtype if elements is not None else None
    if elements is None or dtype is None or dtype.bits == 0:
        return None
    deployed = weight_dtype if value.tensor is not None else activation_dtype
    return deployed(dtype, precision).nbytes(elements)


def bytes_written(node: Node, sizes: Kept[Value, int | None]) -> int | None:
    if node.op_type in _MOVES_NOTHING:
        return 0
    return total_of([sizes[value] for value in node.outputs if value is not None])


def bytes_read(node: Node, sizes: Kept[Value, int | None]) -> int | None:
    if node.op_type in _MOVES_NOTHING:
        return 0
    values = {value for value in node.inputs if value is not None}
    if node.op_type in _SELECTS and node.inputs and node.inputs[0] is not None:
        values.discard(node.inputs[0])
        selected = bytes_written(node, sizes)
    else:
        selected = 0
    return total_of([selected, *[sizes[value] for value in values]])


def is_known(node: Node, sizes: Kept[Value, int | None]) -> bool:
    """Return True if a node's reads and writes are known, without adding them up."""
    if node.op_type in _MOVES_NOTHING:
        return True
    for value in (*node.inputs, *node.outputs):
        if value is not None and sizes[value] is None:
            both = bytes_read(node, sizes), bytes_written(node, sizes)
            return node.op_type in _SELECTS and None not in both
    return True


def total_of(sizes: Sequence[int | None]) -> int | None:
    """Return the sum; None if a number is unknown."""
    return None if None in sizes else sum(cast("Sequence[int]", sizes))
