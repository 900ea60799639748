"""The shape of a result from the shapes of the inputs, for the common operators of networks.

ONNX's inference knows all operators, but it stops at a shape that the graph computes. These carry
sizes on from there, so that the shapes that are computed further down are found in the same pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from modellint.model import HIGHEST_RANK, MOST, Node
from modellint.model.dims import broadcast
from modellint.operators import Trait, having

Sizes = tuple[int, ...]
ShapeFormula = Callable[[Node, Sequence[Sizes], Sequence[Any]], Sizes]
"""The shape of the first output, from the inputs' shapes and those elements that are known."""
MISTAKES = (ValueError, IndexError, TypeError, ArithmeticError)
"""Exceptions of formulas for unknown elements or inconsistent inputs."""


def is_plausible(sizes: Sizes) -> bool:
    """Return True for a shape that a tensor can have, unlike what absurd inputs lead to."""
    return len(sizes) <= HIGHEST_RANK and all(0 <= size <= MOST for size in sizes)


def formula_of(node: Node) -> ShapeFormula | None:
    """The formula for a node's first output; None without one."""
    if node.domain not in ("", "ai.onnx"):
        return None
    return _FORMULAS.get(node.op_type)


def _broadcast(_: Node, shapes: Sequence[Sizes], __: Sequence[Any]) -> Sizes:
    return broadcast(*shapes)


def _first(_: Node, shapes: Sequence[Sizes], __: Sequence[Any]) -> Sizes:
    return shapes[0]


def _matmul(_: Node, shapes: Sequence[Sizes], __: Sequence[Any]) -> Sizes:
    left, right = shapes
    batch = broadcast(left[:-2], right[:-2])
    return (*batch, left[-2], right[-1])


def _gemm(node: Node, shapes: Sequence[Sizes], _: Sequence[Any]) -> Sizes:
    left, right = shapes[:2]
    rows, columns = left[bool(node.get_int("transA", 0))], right[not node.get_int("transB", 0)]
    return (rows, columns)


def _transpose(node: Node, shapes: Sequence[Sizes], _: Sequence[Any]) -> Sizes:
    order = node.get_ints("perm") or range(len(shapes[0]))[::-1]
    return tuple(shapes[0][axis] for axis in order)


def _concat(node: Node, shapes: Sequence[Sizes], _: Sequence[Any]) -> Sizes:
    axis, joined = node.get_int("axis"), list(shapes[0])
    if axis is None:
        raise ValueError("no axis")
    joined[axis] = sum(shape[axis] for shape in shapes)
    return tuple(joined)


def _gather(node: Node, shapes: Sequence[Sizes], _: Sequence[Any]) -> Sizes:
    data, indices = shapes
    axis = (node.get_int("axis", 0) or 0) % len(data)
    return (*data[:axis], *indices, *data[axis + 1 :])


def _reshape(node: Node, shapes: Sequence[Sizes], numbers: Sequence[Any]) -> Sizes:
    wanted = [int(size) for size in numbers[1]]
    if not node.get_int("allowzero", 0):
        wanted = [shapes[0][at] if size == 0 else size for at, size in enumerate(wanted)]
    if -1 in wanted:
        known = prod(size for size in wanted if size != -1)
        wanted[wanted.index(-1)] = prod(shapes[0]) // known
    return tuple(wanted)


def _expand(_: Node, shapes: Sequence[Sizes], numbers: Sequence[Any]) -> Sizes:
    return broadcast(shapes[0], tuple(int(size) for size in numbers[1]))


def _unsqueeze(node: Node, shapes: Sequence[Sizes], numbers: Sequence[Any]) -> Sizes:
    axes = _axes(node, numbers)
    rank = len(shapes[0]) + len(axes)
    added = {axis % rank for axis in axes}
    if len(added) != len(axes):
        raise ValueError("an axis is given twice")
    rest = iter(shapes[0])
    return tuple(1 if axis in added else next(rest) for axis in range(rank))


def _squeeze(node: Node, shapes: Sequence[Sizes], numbers: Sequence[Any]) -> Sizes:
    axes = _axes(node, numbers) or [at for at, size in enumerate(shapes[0]) if size == 1]
    removed = {axis % len(shapes[0]) for axis in axes}
    return tuple(size for axis, size in enumerate(shapes[0]) if axis not in removed)


def _reduce(node: Node, shapes: Sequence[Sizes], numbers: Sequence[Any]) -> Sizes:
    rank = len(shapes[0])
    axes = _axes(node, numbers)
    if not axes and node.get_int("noop_with_empty_axes", 0):
        return shapes[0]
    reduced = {axis % rank for axis in axes or range(rank)}
    if node.get_int("keepdims", 1):
        return tuple(1 if axis in reduced else size for axis, size in enumerate(shapes[0]))
    return tuple(size for axis, size in enumerate(shapes[0]) if axis not in reduced)


def _axes(node: Node, numbers: Sequence[Any]) -> Sequence[int]:
    if len(numbers) > 1:
        return [int(axis) for axis in numbers[1]]
    return node.get_ints("axes") or ()


_FORMULAS: dict[str, ShapeFormula] = {
    **dict.fromkeys(having(Trait.BROADCASTS, Trait.POINTWISE), _broadcast),
    **dict.fromkeys(having(Trait.NORMALIZATION, Trait.SOFTMAX, Trait.CAST, Trait.DROPS), _first),
    **dict.fromkeys(having(Trait.TRANSPOSE), _transpose),
    **{op: _reduce for op in having(Trait.REDUCES) if op.startswith("Reduce")},
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Concat": _concat,
    "Gather": _gather,
    "Reshape": _reshape,
    "Expand": _expand,
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Identity": _first,
}
