"""What the map knows of single operators."""

from __future__ import annotations

from typing import NamedTuple

from modellint.model import Node
from modellint.operators import Operator, Trait, having, names, of, rows

LONGEST = 500
"""Steps along a chain of ops: in a real model it ends sooner, in a broken one it may be a ring."""

MOVING = having(Trait.MOVES)
SHAPE_READERS = having(Trait.MAKES_SHAPES)
FLOAT_PRODUCTS = names(Trait.FLOAT_PRODUCT)
BLOCK_WEIGHT_OPS = names(Trait.BLOCK_WEIGHTS)
FLOAT_ONLY = names(Trait.RECURRENT)
"""Weighted, and never run in 8 bits from Q/DQ pairs."""


class OperandPlaces(NamedTuple):
    """Where an integer op has an operand, its scale and its zero point."""

    value: int
    scale: int | None
    zero: int | None


def _integer_operands(row: Operator) -> tuple[OperandPlaces, OperandPlaces]:
    data, weight = (
        OperandPlaces(row.place(role) or 0, row.place(f"{role}-scale"), row.place(f"{role}-zero"))
        for role in ("data", "weight")
    )
    return data, weight


INTEGER_OPS = {name: _integer_operands(rows()[name]) for name in names(Trait.INTEGER_PRODUCT)}
"""Weighted ops on integers, and which inputs are data and weight, with their scales and points."""

_RIDING = having(Trait.MOVES, Trait.QUANTIZABLE)


def rides_along(node: Node) -> bool:
    """Whether a node costs no extra conversion between two quantized ones."""
    return node.op_type in _RIDING


def output_axis(node: Node, rank: int) -> int | None:
    """The axis of a weight that holds the output channels of its op."""
    traits = of(node).traits
    if Trait.BLOCK_WEIGHTS in traits:
        return None  # packed
    if Trait.CONVOLUTION in traits:
        return 0
    if Trait.TRANSPOSED_CONVOLUTION in traits:
        return 1
    if Trait.GEMM in traits:
        return 0 if node.get_int("transB", 0) else 1
    if Trait.MATMUL in traits:
        return rank - 2 if node.get_int("transB", 0) else rank - 1
    return None
