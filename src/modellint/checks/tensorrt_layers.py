"""Layers that TensorRT does not build, or does not compute in integers, on every device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modellint.analysis.quantization import QuantizationMap
from modellint.analysis.quantization.tensorrt import MEASURED, computed_in, layer_of
from modellint.checks.api import Context, Hit
from modellint.checks.repeats import together
from modellint.forms.forms import computed_type
from modellint.model import Node
from modellint.operators import Trait, names
from modellint.results.finding import Severity
from modellint.runtimes.support import precisions

Facts = Mapping[str, object]
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
