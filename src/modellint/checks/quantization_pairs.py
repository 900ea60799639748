"""Q/DQ pairs that prevent fusion or have no effect."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.analysis.quantization import Converter, Moves, QuantizationMap, Scheme
from modellint.analysis.quantization.onnxruntime import needs_pair
from modellint.analysis.quantization.ops import MOVING
from modellint.analysis.quantization.scheme import DEQUANTIZE, QUANTIZE
from modellint.analysis.quantization.surplus import (
    pairs_at_outputs,
    pairs_read_in_float,
    requantizations,
    shared_pairs,
)
from modellint.checks.api import Context, Hit
from modellint.checks.quantization_common import SURE, move_for
from modellint.checks.repeats import together
from modellint.model import Node
from modellint.operators import Trait, having
from modellint.results.finding import Severity


def quantized_before_activation(context: Context) -> Iterator[Hit]:
    """A pair between a quantized op and an activation that could be fused into it."""
    yield from _cut(context, frozenset({"Relu", "Clip", "LeakyRelu", "PRelu", "HardSwish"}))


def quantized_before_batchnorm(context: Context) -> Iterator[Hit]:
    """A pair between a quantized op and its BatchNormalization."""
    yield from _cut(context, frozenset({"BatchNormalization"}))


def _cut(context: Context, ops: frozenset[str]) -> Iterator[Hit]:
    quantization = context.analysis(QuantizationMap)
    is_tensorrt = context.for_tensorrt
    found: list[tuple[Converter, Node, Node]] = []
    for q in quantization.activation_quantizers:
        layer = q.source.producer
        if layer is None or not _runs_integer(quantization, layer):
            continue
        after = [use.node for dq in quantization.dequantizers_after(q) for use in dq.consumers]
        if not after or not all(node.op_type in ops for node in after):
            continue
        if is_tensorrt or not any(needs_pair(quantization, node) for node in after):
            found.append((q, layer, after[0]))
    if context.deployment.runtime in SURE:
        moved = _moved_for_layers(quantization) if found else set()
        found = [each for each in found if id(each[0].source) not in moved]
    if found:
        _, layer, after_layer = found[0]
        layers = (quantization.op(layer) for _, layer, _ in found)
        facts = {
            "layer_op": layer.op_type,
            "layer": layer.label,
            "after_op": after_layer.op_type,
            "after": after_layer.label,
            "share": quantization.share(op for op in layers if op is not None),
            **move_for(context, found[0][0].node, len(found) - 1),
        }
        yield from together([q.node for q, _, _ in found], facts)


def pair_before_addition(context: Context) -> Iterator[Hit]:
    """A pair between a layer and the residual addition that its kernel could do."""
    if context.lacks_any((QUANTIZE, DEQUANTIZE)):
        return
    moves = context.analysis(QuantizationMap).kept(Moves)
    found = [
        move
        for move in moves.misplaced
        if move.only_removes and move.node.op_type in having(Trait.ADDITION)
    ]
    if found:
        layer = found[0].edits[0].value.producer
        facts = {
            "layer": layer.label if layer is not None else "",
            "layer_op": layer.op_type if layer is not None else "",
            **move_for(context, found[0].node, len(found) - 1),
        }
        yield from together([move.node for move in found], facts)


def _moved_for_layers(quantization: QuantizationMap) -> set[int]:
    """Return ids of values whose pair is missing at a layer, which is another rule's finding."""
    moves = quantization.kept(Moves).of_layers
    return {id(e.value) for move in moves for e in move.edits if e.action == "remove"}


def _runs_integer(quantization: QuantizationMap, node: Node) -> bool:
    """Return True for a quantized layer, or an addition of quantized branches."""
    op = quantization.op(node)
    if op is not None:
        return op.is_quantized
    return node.op_type == "Add" and all(
        value is not None and quantization.operand(value).is_quantized for value in node.inputs
    )


def round_trip_at_output(context: Context) -> Iterator[Hit]:
    """A pair on an output of the network."""
    for dq in pairs_at_outputs(context.analysis(QuantizationMap)):
        yield Hit(dq.node, {"type": str(dq.scheme.dtype), "output": dq.output.name})


def useless_round_trip(context: Context) -> Iterator[Hit]:
    """A pair whose value is not consumed in quantized form."""
    for q, uses in pairs_read_in_float(context.analysis(QuantizationMap)):
        first = uses[0].node
        facts = {"consumer": first.label, "consumer_op": first.op_type}
        yield Hit(q.node, facts, related=tuple(use.node for use in uses[:2]))


def dequantizer_shared(context: Context) -> Iterator[Hit]:
    """An activation that some consumers use quantized and others in float."""
    for shared in shared_pairs(context.analysis(QuantizationMap)):
        fusing, floating = shared.fusing, shared.floating[0].node
        facts = {"fusing": fusing.label, "floating": floating.label}
        facts["floating_op"] = floating.op_type
        yield Hit(shared.dequantizer.node, facts, related=(fusing, floating))


def redundant_chain(context: Context) -> Iterator[Hit]:
    """A DQ that is immediately quantized again."""
    for q, dq, same in requantizations(context.analysis(QuantizationMap)):
        facts = {"dq": dq.node.label, "before": _scale(dq.scheme), "after": _scale(q.scheme)}
        severity = Severity.INFO if same else None
        variant = "" if same else "rescales"
        yield Hit(q.node, facts, variant=variant, severity=severity, related=(dq.node,))


def concat_of_scales(context: Context) -> Iterator[Hit]:
    """A Concat whose inputs have different scales."""
    quantization = context.analysis(QuantizationMap)
    for node in context.nodes("Concat"):
        schemes = [
            dq.scheme
            for value in node.inputs
            if value is not None and (dq := quantization.dequantizer_of(value)) is not None
        ]
        scales = sorted({scale for s in schemes if (scale := _only_scale(s)) is not None})
        if len(scales) < 2 or not quantization.is_quantized_after(node):
            continue
        facts = {"different": len(scales), "low": f"{scales[0]:.3g}", "high": f"{scales[-1]:.3g}"}
        yield Hit(node, {**facts, "inputs": len(node.inputs)})


def move_rescales(context: Context) -> Iterator[Hit]:
    """Ops that only move elements between a DQ and a Q with different parameters."""
    quantization = context.analysis(QuantizationMap)
    for q in quantization.activation_quantizers:
        producer = q.source.producer
        if producer is None or producer.op_type not in MOVING:
            continue
        operand = quantization.operand(q.source)
        if operand.dequantizer is None or not operand.moves:
            continue
        before, after = operand.dequantizer.scheme, q.scheme
        if before.dtype is not after.dtype or before.same_as(after) is not False:
            continue
        if _only_scale(before) is not None and _only_scale(after) is not None:
            facts = {"before": _scale(before), "after": _scale(after)}
            yield Hit(operand.moves[-1], facts, related=(operand.dequantizer.node, q.node))


def _only_scale(scheme: Scheme) -> float | None:
    scales = scheme.scales
    return float(scales.reshape(-1)[0]) if scales is not None and scales.size == 1 else None


def _scale(scheme: Scheme) -> str:
    return f"{float(scheme.scales.max()):.3g}" if scheme.scales is not None else "?"
