"""Numbers that do not survive the deployment's precision."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from modellint.analysis.weights import FLOAT16_MAX, is_weight
from modellint.checks.api import Context, Hit
from modellint.checks.compat import of_a_library
from modellint.model import Node, Value
from modellint.model.features import FLOATS
from modellint.operators import Trait, having, with_input
from modellint.results.finding import Severity

_BOUNDS = with_input("bound", "filler")
_READ_ONLY = having(Trait.CAST, Trait.READS_SHAPE)
"""Inputs for which a huge number is not part of arithmetic."""


def float64_left_over(context: Context) -> Iterator[Hit]:
    """Places where 64-bit floats enter the graph: inputs, constants and casts."""
    for graph in context.graphs():
        for value in graph.values.values():
            if not _is_float64(value) or not (value.consumers or value.is_output):
                continue
            producer = value.producer
            if producer is None and _is_asked_for(context, value):
                continue
            if producer is None:
                variant = "constant" if value.is_constant else "input"
                yield Hit(value, variant=variant)
            elif value.is_constant or not any(_is_float64(v) for v in producer.inputs if v):
                yield Hit(producer)


def _is_asked_for(context: Context, value: Value) -> bool:
    """Return True if only operators of a library read a value: its type may be their demand."""
    readers = [use.node for use in value.consumers]
    return bool(readers) and all(of_a_library(context.model, node) for node in readers)


def _is_float64(value: Value) -> bool:
    return value.dtype is not None and value.dtype.name == "float64"


def fp16_overflow_constant(context: Context) -> Iterator[Hit]:
    """Constants beyond the largest fp16 number in a model that runs in fp16."""
    if context.lacks([FLOATS]):
        return
    if context.deployment.precision != "fp16":
        return
    for graph in context.graphs():
        for value in graph.values.values():
            extreme = _extreme(value)
            if abs(extreme) <= FLOAT16_MAX or is_weight(value):
                continue
            users = [use.node for use in value.consumers if not _unbounded(use.node, use.index)]
            if users:
                facts = {"constant": value.name, "number": extreme}
                yield Hit(users[0], facts, related=_around(users[0]))


def _extreme(value: Value) -> float:
    """Return the largest finite number in a small constant beyond fp16, by magnitude; else 0."""
    tensor = value.tensor
    if tensor is None or tensor.dtype.name not in ("float32", "float64"):
        return 0.0
    numbers = tensor.small_numbers()
    lowest, highest = min(numbers, default=0.0), max(numbers, default=0.0)
    if lowest >= -FLOAT16_MAX and highest <= FLOAT16_MAX:
        return 0.0  # as nearly always
    return max(filter(isfinite, numbers), key=abs, default=0.0)


def _unbounded(node: Node, index: int) -> bool:
    return node.op_type in _READ_ONLY or index in _BOUNDS.get(node.op_type, ())


def _around(node: Node) -> tuple[Node, ...]:
    return (*node.predecessors, *list(node.successors)[:1])


def dtype_beyond_target(context: Context) -> Iterator[Hit]:
    """Element types that the target only emulates or does not support."""
    target = context.deployment.target
    if target is None or target.computes_only_integers:
        return
    for name, precision in (("bfloat16", "bf16"), ("float64", "fp64")):
        if not target.lacks(precision):
            continue
        nodes = [node for node in context.nodes() if _makes(node, name)]
        if nodes:
            facts = {"dtype": name, "nodes": len(nodes), "lacking": precision}
            refused = name == "bfloat16" and context.deployment.runtime == "tensorrt-rtx"
            severity = Severity.ERROR if refused else None
            yield Hit(nodes[0], facts, count=len(nodes), severity=severity)


def _makes(node: Node, dtype: str) -> bool:
    return any(
        value is not None and value.dtype is not None and value.dtype.name == dtype
        for value in node.outputs
    )
