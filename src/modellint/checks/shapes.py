"""Dynamic shapes: what is not named, and what is baked in."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from modellint.checks.api import Context, Hit
from modellint.model import Node


def unnamed_dynamic_dim(context: Context) -> Iterator[Hit]:
    """Inputs of the model with dims, or a rank, that nobody has named."""
    if context.model.graph is None:
        return
    for value in context.model.graph.inputs:
        if value.is_constant or value.type_name != "tensor":
            continue
        shape = value.declared_shape
        if shape is None:
            yield Hit(value, variant="rank")
        elif None in shape:
            axes = [str(axis) for axis, dim in enumerate(shape) if dim is None]
            yield Hit(value, {"axes": ", ".join(axes), "dims": len(axes)})


def batch_baked_into_reshape(context: Context) -> Iterator[Hit]:
    """Reshapes whose constant shape fixes a batch that the model's inputs leave open."""
    symbols = _batch_symbols(context)
    if not symbols:
        return
    for node in context.nodes("Reshape"):
        baked = _baked_batch(node, symbols)
        if baked is not None:
            symbol, batch, target = baked
            shape = "×".join(map(str, target))
            yield Hit(node, {"symbol": symbol, "batch": batch, "shape": shape})


def _batch_symbols(context: Context) -> frozenset[str]:
    """Names of the leading dims of the model's inputs."""
    graph = context.model.graph
    shapes = [value.declared_shape for value in graph.inputs] if graph is not None else []
    return frozenset(shape[0] for shape in shapes if shape and isinstance(shape[0], str))


def _baked_batch(node: Node, symbols: frozenset[str]) -> tuple[str, int, list[int]] | None:
    """The batch symbol, and the number and shape that a Reshape forces on it."""
    data, wanted = node.input(0), node.input(1)
    if data is None or wanted is None or wanted.tensor is None:
        return None
    numbers = wanted.tensor.if_small()
    shape = data.shape
    if numbers is None or not shape or shape[0] not in symbols:
        return None
    symbol = str(shape[0])
    target = [int(number) for number in numbers.reshape(-1)]
    rest = [dim for dim in shape[1:] if isinstance(dim, int)]
    if any(dim == 0 for dim in target) or len(rest) != len(shape) - 1 or not prod(rest):
        return None
    if -1 not in target:
        return symbol, prod(target) // prod(rest), target
    keeps_batch_in_rest = len(target) != len(shape) or target[0] < 1
    return None if keeps_batch_in_rest else (symbol, target[0], target)
