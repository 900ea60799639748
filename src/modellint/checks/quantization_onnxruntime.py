"""Handling of pairs by ONNX Runtime: layers that run in float, or compute different results."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.analysis.quantization import Converter, QuantizationMap, WeightedOp, stored_root
from modellint.analysis.quantization.onnxruntime import (
    bias_fits,
    bias_of,
    bias_ratio,
    blocking_move,
    layers_around,
    shared_int8_pairs,
)
from modellint.base.text import percent
from modellint.checks.api import Context, Hit
from modellint.checks.quantization_common import effect, move_for, nodes_of
from modellint.checks.repeats import together
from modellint.model import Node, Value, small_constant
from modellint.operators import Trait, having, of
from modellint.results.finding import Severity


def batchnorm_beside_quantized(context: Context) -> Iterator[Hit]:
    """BatchNormalization after a quantized op, whose weights are already frozen."""
    if context.for_tensorrt:
        return  # TensorRT multiplies it into the scales of the weight
    quantization = context.analysis(QuantizationMap)
    ops = []
    nodes = []
    for node in context.nodes("BatchNormalization"):
        op = quantization.op(_layer_before(node))
        if op is not None and op.is_quantized and op.integer is None:
            ops.append(op)
            nodes.append(node)
    if ops:
        facts = {"layer_op": ops[0].node.op_type, "layer": ops[0].node.label}
        yield from together(nodes, {**facts, **effect(quantization, ops)})


def _layer_before(node: Node) -> Node | None:
    """Return the preceding node, ignoring arithmetic with constants: quantization-aware training
    folds a normalization by scaling the weight, and divides the result again."""
    for _ in range(4):
        value = next((v for v in node.inputs if v is not None and not v.is_constant), None)
        if value is None or value.producer is None:
            return None
        node = value.producer
        if node.op_type not in having(Trait.ARITHMETIC):
            return node
    return None


def move_stops_pair(context: Context) -> Iterator[Hit]:
    """Ops that only move elements, but that ONNX Runtime does not move a DQ across."""
    quantization = context.analysis(QuantizationMap)
    by_move: dict[int, tuple[Node, list[WeightedOp]]] = {}
    for op in quantization.quantized_ops:
        if op.integer is None and (node := blocking_move(op)) is not None:
            by_move.setdefault(id(node), (node, []))[1].append(op)
    for node, ops in by_move.values():
        facts = {"layer": ops[0].node.label, "layer_op": ops[0].node.op_type}
        facts |= move_for(context, ops[0].node, len(ops) - 1)
        yield Hit(node, {**facts, **effect(quantization, ops)}, related=(ops[0].node,))


def bias_off_scale(context: Context) -> Iterator[Hit]:
    """int32 biases whose scale is not the product of the other two."""
    runtime = context.deployment.runtime or ""
    if context.for_tensorrt:
        return  # which refuses int32 whatever its scale
    quantization = context.analysis(QuantizationMap)
    by_bias: dict[int, tuple[Converter, list[WeightedOp]]] = {}
    for op in quantization.quantized_ops:
        if op.integer is not None or op.held_back == "kernel":
            continue
        bias = bias_of(quantization, op)
        if bias is not None and not bias_fits(op, bias.scheme) and not _adds_nothing(op, bias):
            by_bias.setdefault(id(bias), (bias, []))[1].append(op)
    for bias, ops in by_bias.values():
        others = len(ops) - 1
        is_wrong = runtime == "onnxruntime" and ops[0].node.op_type in having(Trait.GEMM)
        facts = {
            "layer": ops[0].node.label,
            "layer_op": ops[0].node.op_type,
            "others": f" and {others} more" if others else "",
            "ratio": bias_ratio(ops[0], bias.scheme),
            **effect(quantization, ops),
        }
        yield Hit(
            bias.node,
            facts,
            variant="wrong" if is_wrong else "",
            severity=Severity.ERROR if is_wrong else None,
            count=len(ops),
            related=(ops[0].node,),
        )


def _adds_nothing(op: WeightedOp, bias: Converter) -> bool:
    """Return True for a bias of zeros, which is correct at any scale except in convolutions."""
    values = small_constant(stored_root(bias.source))
    return values is not None and not values.any() and op.node.op_type in having(Trait.GEMM)


def output_left_float(context: Context) -> Iterator[Hit]:
    """Layers with quantized operands that ONNX Runtime runs in float because no Q follows."""
    quantization = context.analysis(QuantizationMap)
    normalized = {id(_layer_before(node)) for node in context.nodes("BatchNormalization")}
    found = [
        op
        for op in quantization.ops
        if op.held_back == "output" and id(op.node) not in normalized  # another rule's finding
    ]
    if found:
        facts = {"after": _what_follows(found[0].node.output())}
        facts |= move_for(context, found[0].node, len(found) - 1)
        yield from together(nodes_of(found), {**facts, **effect(quantization, found)})


def _what_follows(value: Value | None) -> str:
    if value is None or not value.consumers:
        return "the output"
    if len(value.consumers) > 1 or value.is_output:
        return "several consumers"
    after = value.consumers[0].node
    return f"{after.op_type} '{after.label}'"


def int8_pair_shared(context: Context) -> Iterator[Hit]:
    """int8 activations with several consumers, which ONNX Runtime does not convert on x86."""
    if context.deployment.target is not None:
        return  # a device of its own, not the host's processor
    quantization = context.analysis(QuantizationMap)
    pairs = shared_int8_pairs(quantization)
    layers = [op for op in layers_around(quantization, pairs) if not op.held_back]
    if layers:
        facts = {"layers": len(layers), **effect(quantization, layers)}
        facts |= move_for(context, layers[0].node, len(layers) - 1)
        yield from together([pair.node for pair in pairs], facts)


def integer_convolution(context: Context) -> Iterator[Hit]:
    """Convolutions of dynamic quantization, whose only kernel is slow."""
    if context.deployment.is_on_cuda:
        return
    quantization = context.analysis(QuantizationMap)
    ops = [op for op in quantization.ops if op.integer and _is_dynamic(op)]
    slow = [op for op in ops if op.is_depthwise or _is_signed(op)]
    unfused = [op for op in ops if op not in slow]
    if slow:
        what = "int8 weights" if _is_signed(slow[0]) else "single channels"
        yield from together(nodes_of(slow), {"what": what, **_amount(quantization, slow)})
    if unfused:
        facts = _amount(quantization, unfused)
        yield from together(nodes_of(unfused), facts, variant="unfused", severity=Severity.INFO)


def _is_dynamic(op: WeightedOp) -> bool:
    """Return True for a convolution of integers that is not given their scales."""
    row = of(op.node)
    return Trait.CONVOLUTION in row.traits and row.place("data-scale") is None


def _is_signed(op: WeightedOp) -> bool:
    scheme = op.weight.scheme
    return scheme is not None and scheme.dtype is not None and scheme.dtype.kind == "int"


def _amount(quantization: QuantizationMap, ops: list[WeightedOp]) -> dict[str, object]:
    """Return the number of layers and their part in the model's work."""
    share = quantization.share(ops)
    work = f"; {percent(share)} of the model's MACs" if share is not None else ""
    return {"layers": len(ops), "share": share, "work": work}
