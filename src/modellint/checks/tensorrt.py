"""Types that TensorRT does not have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modellint.checks.api import Context, Hit, Place
from modellint.checks.repeats import folded
from modellint.forms.forms import UINT8
from modellint.model import DType, Node, Value
from modellint.operators import Trait, having
from modellint.runtimes.support import Support, support

CONVERTERS = having(Trait.QUANTIZE, Trait.DEQUANTIZE)
"""Ops whose types other rules cover, except that of their scales."""
SCALE = 1
"""Place of the scale among their inputs."""


def type_unknown(context: Context) -> Iterator[Hit]:
    """Values of a type that TensorRT does not have, where they enter the model."""
    deployment = context.deployment
    table = support(deployment.runtime or "", deployment.runtime_version)
    if table is None or not table.data_types:
        return
    version = deployment.runtime_version or table.version
    yield from folded(
        Hit(place, {"version": version, "type": name}, variant, None, "measured", count)
        for place, name, variant, count in _entering(context, table)
    )


def _entering(context: Context, table: Support) -> Iterator[tuple[Place, str, str, int]]:
    model = context.model
    for value in model.inputs:
        if value.type_name == "tensor" and _is_unknown(value.declared_dtype, table):
            yield value, str(value.declared_dtype), "", 1
    for value in model.outputs:
        if value.type_name == "tensor" and value.declared_dtype is None and value.producer:
            yield value, "", "untyped", 1
    stored: dict[str, list[Value]] = {}
    for value in _constants(context):
        if _is_unknown(value.dtype, table) and not _is_only_converted(value):
            stored.setdefault(str(value.dtype), []).append(value)
    for type_name, values in stored.items():
        yield values[0], type_name, "stored", len(values)
    for node in context.nodes("Cast", "ConstantOfShape", "EyeLike"):
        yield from _made(context, node, table)


def _constants(context: Context) -> Iterable[Value]:
    for graph in context.graphs():
        for value in graph.values.values():
            if value.tensor is not None and not value.is_input:
                yield value


def _made(context: Context, node: Node, table: Support) -> Iterator[tuple[Place, str, str, int]]:
    result = node.output(0)
    dtype = context.dtype(result) if result is not None else None
    if result is None or dtype is None or context.model.function_of(node) is not None:
        return
    if _is_unknown(dtype, table):
        yield node, dtype.name, "made", 1
    elif dtype.name == UINT8 and not result.is_output and not context.is_frozen(result):
        yield node, dtype.name, "inner", 1


def _is_unknown(dtype: DType | None, table: Support) -> bool:
    return dtype is not None and dtype.name not in table.data_types


def _is_only_converted(value: Value) -> bool:
    """Return True if it is data or a zero point of quantization, but not a scale."""
    uses = value.consumers
    return bool(uses) and all(use.node.op_type in CONVERTERS and use.index != SCALE for use in uses)
