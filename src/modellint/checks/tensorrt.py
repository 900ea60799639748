"""Types that TensorRT does not have, or does not compute in on every device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from modellint.analysis.quantization import QuantizationMap
from modellint.analysis.quantization.tensorrt import MEASURED, computed_in, layer_of
from modellint.checks.api import Context, Hit, Place
from modellint.checks.repeats import folded, together
from modellint.finding import Severity
from modellint.forms.forms import UINT8, computed_type
from modellint.model import DType, Node, Value
from modellint.operators import Trait, having, names
from modellint.runtimes.support import Support, precisions, support

Facts = Mapping[str, object]
CONVERTERS = having(Trait.QUANTIZE, Trait.DEQUANTIZE)
"""Ops whose types other rules cover, except that of their scales."""
SCALE = 1
"""Place of the scale among their inputs."""
PRODUCTS = tuple(
    op
    for trait in (Trait.MATMUL, Trait.GEMM, Trait.CONTRACTION, Trait.RECURRENT)
    for op in names(trait)
)
CONVOLUTIONS = names(Trait.CONVOLUTION)
RANK_3D = 5
"""Rank of the input of a convolution over volumes."""
SPOKEN = {
    "product": "matrix product",
    "convolution": "convolution",
    "convolution-3d": "3-D convolution",
    "transposed-convolution": "transposed convolution",
}
NARROW = ("fp16", "bf16")


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


# Layers by compute capability.


def layer_by_capability(context: Context) -> Iterator[Hit]:
    """Layers that are not built for the target, or not computed in integers there."""
    deployment, target = context.deployment, context.deployment.target
    layers = precisions(deployment.runtime or "", deployment.runtime_version)
    capability = target.compute_capability if target is not None else None
    if not layers or capability is None:
        return
    column = "{}.{}".format(*capability)
    facts = {"capability": column, "version": deployment.runtime_version or ""}
    converts = deployment.precision in NARROW and not deployment.is_assumed("precision")
    refused: dict[tuple[str, str], list[Node]] = {}
    for node, layer in _layers(context) if not converts else ():
        kind = _float_of(context, node)
        row = layers.get(layer, {}).get(f"{kind} {kind}", {})
        if column in row and row[column] is None:
            refused.setdefault((layer, kind), []).append(node)
    for (layer, kind), nodes in refused.items():
        words = {"layer": SPOKEN[layer], "type": kind, **facts}
        yield from together(nodes, words)
    yield from _in_float(context, facts)


def _layers(context: Context) -> Iterator[tuple[Node, str]]:
    for node in context.nodes(*PRODUCTS):
        yield node, "product"
    for node in context.nodes(*CONVOLUTIONS):
        data = node.input(0)
        shape = context.shape(data) if data is not None else None
        if shape is not None and len(shape) == RANK_3D:
            yield node, "convolution-3d"


def _float_of(context: Context, node: Node) -> str:
    """Return the type that a layer's data is computed in without quantization."""
    data = node.input(0)
    return computed_type(context.dtype(data) if data is not None else None) or ""


def _in_float(context: Context, facts: Facts) -> Iterator[Hit]:
    """Report quantized convolutions whose operands are dequantized first."""
    found: dict[tuple[str, str], list[Node]] = {}
    for op in context.analysis(QuantizationMap).quantized_ops:
        if op.node.op_type in MEASURED and op.operand_precision == "int8":
            computed = computed_in(op, "int8", context.deployment)
            if computed is not None and computed != "int8":
                found.setdefault((layer_of(op), computed), []).append(op.node)
    for (layer, computed), nodes in found.items():
        words = {"layer": SPOKEN[layer], "type": computed, **facts}
        yield from together(nodes, words, variant="float", severity=Severity.WARNING)
