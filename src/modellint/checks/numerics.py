"""Numbers that do not survive the deployment's precision."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from modellint.checks.api import Context, Hit
from modellint.model import Node, Value

FLOAT16_MAX = 65504.0
UNBOUNDED_USES = {"Clip": (1, 2), "Cast": (0,), "Shape": (0,), "Size": (0,), "Pad": (2,)}
"""Inputs for which a huge number only means "no bound", or is not computed with."""


def float64_left_over(context: Context) -> Iterator[Hit]:
    """Places where 64-bit floats enter the graph: inputs, constants, and casts."""
    for graph in context.graphs():
        for value in graph.values.values():
            if not _is_float64(value) or not (value.consumers or value.is_output):
                continue
            producer = value.producer
            if producer is None:
                variant = "constant" if value.is_constant else "input"
                yield Hit(value, variant=variant)
            elif value.is_constant or not any(_is_float64(v) for v in producer.inputs if v):
                yield Hit(producer)


def _is_float64(value: Value) -> bool:
    return value.dtype is not None and value.dtype.name == "float64"


def fp16_overflow_constant(context: Context) -> Iterator[Hit]:
    """Constants beyond the largest fp16 number, in a model that is to run in fp16."""
    if context.deployment.precision != "fp16":
        return
    for graph in context.graphs():
        for value in graph.values.values():
            extreme = _extreme(value)
            users = [use.node for use in value.consumers if not _unbounded(use.node, use.index)]
            if users and abs(extreme) > FLOAT16_MAX:
                facts = {"constant": value.name, "number": extreme}
                yield Hit(users[0], facts, related=_around(users[0]))


def _extreme(value: Value) -> float:
    """The finite number farthest from zero in a small floating-point constant; else 0."""
    if value.tensor is None or value.tensor.dtype.name not in ("float32", "float64"):
        return 0.0
    data = value.tensor.if_small()
    numbers = data.reshape(-1).tolist() if data is not None else []
    return max(filter(isfinite, numbers), key=abs, default=0.0)


def _unbounded(node: Node, index: int) -> bool:
    return index in UNBOUNDED_USES.get(node.op_type, ())


def _around(node: Node) -> tuple[Node, ...]:
    return (*node.predecessors, *list(node.successors)[:1])
