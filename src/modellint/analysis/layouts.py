"""Orders of dims: formats put channels first or last, and store weights in orders of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from modellint.analysis.chains import LONGEST
from modellint.model import Node, Shape
from modellint.operators import of

CHANNELS_LAST = "nhwc"
_Dim = TypeVar("_Dim")
_WEIGHTS: Mapping[str, tuple[int, ...]] = {
    "tflite.CONV_2D": (0, 2, 3, 1),
    "tflite.DEPTHWISE_CONV_2D": (1, 2, 3, 0),
    "tflite.TRANSPOSE_CONV": (1, 2, 3, 0),
    "tflite.CONV_3D": (2, 3, 4, 1, 0),
    "tflite.CONV_3D_TRANSPOSE": (2, 3, 4, 1, 0),
    "tflite.FULLY_CONNECTED": (1, 0),
}
"""Order in which an operator stores the dims that its weight has in the standard's operator."""


def order_between(old: Node, new: Node, old_shape: Shape, new_shape: Shape) -> tuple[int, ...]:
    """Return the dims of one operator's weight in the order that another one stores them in.

    Where one has a dim more than the other, for an axis of size 1, the order is without that.
    """
    rank = max(len(old_shape), len(new_shape))
    before, after = _dims(old, old_shape, rank), _dims(new, new_shape, rank)
    if set(before) != set(after):
        extra = set(before) ^ set(after)
        before = tuple(dim for dim in before if dim not in extra)
        after = tuple(dim for dim in after if dim not in extra)
    return tuple(before.index(dim) for dim in after)


def _dims(node: Node, shape: Shape, rank: int) -> tuple[int, ...]:
    """Return which dim of the standard's weight each dim is."""
    order = _WEIGHTS.get(node.qualified_op, ())
    if len(order) == len(shape):
        return order
    return tuple(range(2)) + tuple(range(2 + rank - len(shape), rank))[: len(shape) - 2]


def is_layout_known(node: Node) -> bool:
    """Return True for an operator that always stores its weight in another order of dims."""
    return node.qualified_op in _WEIGHTS


def is_read_transposed(product: Node) -> bool:
    """Return True for a product that reads its weight in another order than it is stored in."""
    flipped = bool(product.get_int("transB", 0)) or product.op_type == "MatMulNBits"
    flipped = flipped or _differs(product, "weight-transposed")
    value = product.input(1)
    for _ in range(LONGEST):  # a hostile graph may have a loop
        if value is None or value.producer is None:
            break
        flipped ^= value.producer.op_type == "Transpose"
        value = value.producer.input(0)
    return flipped


def standard_weight(node: Node, shape: Shape) -> Shape:
    """Return the shape of an operator's weight in the order of the standard's operator."""
    order = _WEIGHTS.get(node.qualified_op, ())
    if len(order) != len(shape):
        return shape
    return tuple(shape[order.index(dim)] for dim in range(len(shape)))


def is_channels_last(node: Node) -> bool:
    """Return True for an operator whose format has the channels of its data last."""
    return _differs(node, CHANNELS_LAST)


def _differs(node: Node, how: str) -> bool:
    return node.domain != "" and any(
        each.format == node.domain and each.name == node.op_type and how in each.differs
        for each in of(node).dialects
    )


def channels_first(node: Node, dims: tuple[_Dim, ...]) -> tuple[_Dim, ...]:
    """Return an operator's figures for each dim of its data, reordered to channels first."""
    return _first(dims) if is_channels_last(node) and len(dims) > 1 else dims


def are_same_axes(
    old: Sequence[int], old_shape: Shape, new: Sequence[int], new_shape: Shape, *, may_turn: bool
) -> bool | None:
    """Return True if axes of one shape are those of another; None if the shapes do not tell.

    With `may_turn`, one of the shapes may have its channels last.
    """
    orders = [o for o in _orders(len(old_shape), may_turn) if _fits(o, old_shape, new_shape)]
    if not orders or len(old_shape) != len(new_shape):
        return None
    wanted = {axis for axis in new if new_shape[axis] != 1}
    return any(
        {order.index(axis) for axis in old if old_shape[axis] != 1} == wanted for order in orders
    )


def _orders(rank: int, may_turn: bool) -> Iterator[tuple[int, ...]]:
    """Iterate over permutations of one layout's dims to the other's."""
    plain = tuple(range(rank))
    yield plain
    if may_turn and rank > 2:
        yield (0, *plain[2:], 1)
        yield _first(plain)


def _first(dims: tuple[_Dim, ...]) -> tuple[_Dim, ...]:
    return (dims[0], dims[-1], *dims[1:-1])


def _fits(order: Sequence[int], old: Shape, new: Shape) -> bool:
    return len(old) == len(new) and all(
        old[dim] == size or not (isinstance(old[dim], int) and isinstance(size, int))
        for dim, size in zip(order, new, strict=True)
    )
