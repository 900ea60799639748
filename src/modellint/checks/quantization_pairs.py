"""Q/DQ pairs that prevent fusion or have no effect."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.analysis.chains import LONGEST
from modellint.analysis.quantization import Converter, Move, Moves, QuantizationMap, Scheme
from modellint.analysis.quantization.onnxruntime import CARRIES, CLIPPING, needs_pair
from modellint.analysis.quantization.ops import MOVING, SHAPE_READERS, rides_along
from modellint.analysis.quantization.scheme import DEQUANTIZE, QUANTIZE
from modellint.checks.api import Context, Hit
from modellint.checks.quantization_common import SURE, move_for
from modellint.checks.repeats import together
from modellint.finding import Severity
from modellint.model import Node, Value
from modellint.operators import Trait, having


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
        if _only_removes(move) and move.node.op_type in having(Trait.ADDITION)
    ]
    if found:
        layer = found[0].edits[0].value.producer
        facts = {
            "layer": layer.label if layer is not None else "",
            "layer_op": layer.op_type if layer is not None else "",
            **move_for(context, found[0].node, len(found) - 1),
        }
        yield from together([move.node for move in found], facts)


def _only_removes(move: Move) -> bool:
    return all(edit.action == "remove" for edit in move.edits)


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
    quantization = context.analysis(QuantizationMap)
    for dq in quantization.activation_dequantizers:
        q = dq.undoes
        if q is None or not _only_returned(dq.output):
            continue
        if not _makes_integer(context, quantization, q):
            yield Hit(dq.node, {"type": str(dq.scheme.dtype), "output": dq.output.name})


def _only_returned(value: Value) -> bool:
    """Return True if a value is only returned, possibly after being moved."""
    for _ in range(LONGEST):
        if not value.consumers:
            break
        after = value.sole_consumer
        result = after.output() if after is not None and after.op_type in MOVING else None
        if result is None:
            return False
        value = result
    return value.is_output


def useless_round_trip(context: Context) -> Iterator[Hit]:
    """A pair whose value is not consumed in quantized form."""
    quantization = context.analysis(QuantizationMap)
    for q in quantization.activation_quantizers:
        if q.feeds_layer:
            continue
        outputs = quantization.dequantizers_after(q)
        uses = [use.node for output in outputs for use in output.consumers]
        is_kept = any(output.is_output for output in outputs) or q.output.is_output
        if not uses or is_kept or len(q.output.consumers) != len(outputs):
            continue
        if any(takes_quantized(quantization, node) for node in uses):
            continue
        if all(_only_returned(output) for output in outputs):
            continue  # the end of the network, which is another rule's finding
        if not _makes_integer(context, quantization, q):
            facts = {"consumer": uses[0].label, "consumer_op": uses[0].op_type}
            yield Hit(q.node, facts, related=tuple(uses[:2]))


def dequantizer_shared(context: Context) -> Iterator[Hit]:
    """An activation that some consumers use quantized and others in float."""
    quantization = context.analysis(QuantizationMap)
    for dq in quantization.activation_dequantizers:
        if len(dq.output.consumers) < 2:
            continue
        nodes = [use.node for use in dq.output.consumers]
        fusing = [n for n in nodes if (op := quantization.op(n)) is not None and op.is_quantized]
        floating = [
            node
            for node in nodes
            if node.op_type not in SHAPE_READERS and not takes_quantized(quantization, node)
        ]
        if fusing and floating:
            facts = {"fusing": fusing[0].label, "floating": floating[0].label}
            facts["floating_op"] = floating[0].op_type
            yield Hit(dq.node, facts, related=(fusing[0], floating[0]))


def _makes_integer(context: Context, quantization: QuantizationMap, q: Converter) -> bool:
    """Return True if the op before a pair needs it to be integer.

    TensorRT's integer kernels can return floats. ONNX Runtime's can do so only for matrix
    products; all others need a Q after them.
    """
    if context.for_tensorrt:
        return False
    producer = q.source.producer
    for _ in range(LONGEST):
        if producer is None or producer.op_type not in (*CLIPPING, *CARRIES):
            break
        source = producer.input(0)
        producer = source.producer if source is not None else None
    if producer is None:
        return False
    op = quantization.op(producer)
    if op is not None:
        return op.is_quantized and op.node.op_type not in having(Trait.MATMUL)
    return any(v is not None and quantization.operand(v).is_quantized for v in producer.inputs)


def takes_quantized(quantization: QuantizationMap, node: Node) -> bool:
    """Return True if a node, or one that rides along after it, runs on quantized numbers."""
    if quantization.op(node) is not None:
        return True
    pending, seen = [node], {id(node)}
    while pending and len(seen) < 64:
        node = pending.pop()
        if quantization.converter(node) is not None or quantization.op(node) is not None:
            return True
        outputs = [value for value in node.outputs if value is not None]
        if any(quantization.quantizers_after(value) for value in outputs):
            return True
        if rides_along(node) or node.subgraphs:
            for after in node.successors:
                if id(after) not in seen:
                    seen.add(id(after))
                    pending.append(after)
    return bool(pending)


def redundant_chain(context: Context) -> Iterator[Hit]:
    """A DQ that is immediately quantized again."""
    quantization = context.analysis(QuantizationMap)
    for q in quantization.quantizers:
        dq = q.before
        if dq is None or dq.kind != "dequantize" or dq.scheme.dtype is not q.scheme.dtype:
            continue
        same = dq.scheme.same_as(q.scheme)
        if same is None:
            continue
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
