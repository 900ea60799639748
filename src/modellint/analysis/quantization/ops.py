"""Facts about single operators for the quantization map."""

from __future__ import annotations

from typing import NamedTuple

from modellint.model import Node
from modellint.operators import Operator, Trait, having, names, of, rows, with_own_names

MOVING = having(Trait.MOVES)
SHAPE_READERS = having(Trait.MAKES_SHAPES)
FLOAT_PRODUCTS = names(Trait.FLOAT_PRODUCT)
BLOCK_WEIGHT_OPS = names(Trait.BLOCK_WEIGHTS)
FLOAT_ONLY = names(Trait.RECURRENT)
"""Weighted ops that never run in 8 bits from Q/DQ pairs."""
EXPERTS = names(Trait.EXPERTS)
TENSORRT_TYPES = frozenset({"int8", "int4", "float8e4m3fn", "float4e2m1"})


class OperandPlaces(NamedTuple):
    """Input indices of an integer op's operand, scale and zero point."""

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
"""Weighted ops on integers, with the inputs of data, weight, scales and zero points."""

TYPED_PRODUCTS = with_own_names(Trait.FLOAT_PRODUCT)
"""Weighted ops that compute in the types of their inputs, integers or floats."""

_RIDING = having(Trait.MOVES, Trait.QUANTIZABLE)


def rides_along(node: Node) -> bool:
    """Return True if a node between two quantized ones needs no extra conversion."""
    return node.op_type in _RIDING


def output_axis(node: Node, rank: int) -> int | None:
    """Return the output channel axis of an op's weight."""
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
