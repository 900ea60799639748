"""Partially quantized layers, and branches that meet in different precisions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modellint.analysis.quantization import Operand, QuantizationMap, WeightedOp, find_islands
from modellint.analysis.quantization.onnxruntime import bias_of
from modellint.analysis.quantization.ops import rides_along
from modellint.checks.api import Context, Hit
from modellint.checks.quantization_common import (
    SURE,
    effect,
    move_for,
    nodes_of,
)
from modellint.checks.repeats import together
from modellint.model import Node, Value
from modellint.operators import Trait, having
from modellint.results.finding import Severity


def weight_left_float(context: Context) -> Iterator[Hit]:
    """Quantized activations with a float weight."""
    quantization = context.analysis(QuantizationMap)
    for op in _plain(quantization):
        if op.data.is_quantized and op.weight.is_constant and not op.weight.is_quantized:
            is_mended = (
                context.deployment.runtime == "onnxruntime"
                and op.node.op_type != "MatMul"
                and bias_of(quantization, op) is None  # an int32 bias already has its scale
            )
            yield Hit(
                op.node,
                {**_facts(context, op), **effect(quantization, [op])},
                variant="mended" if is_mended else "",
                severity=Severity.INFO if is_mended else None,
            )


def activation_left_float(context: Context) -> Iterator[Hit]:
    """8-bit weights with float activations."""
    quantization = context.analysis(QuantizationMap)
    found = [
        op
        for op in _plain(quantization)
        if not op.data.is_quantized
        and op.weight.is_constant
        and op.weight.scheme is not None
        and op.weight.scheme.precision in ("int8", "fp8")
    ]
    if not found:
        return
    is_sure = context.deployment.runtime in SURE
    if quantization.quantized_ops:
        for op in found:
            via = _activation_behind_pair(quantization, op)
            facts = {**_facts(context, op), **effect(quantization, [op])}
            if via is None:
                yield Hit(op.node, facts)
            else:
                facts |= {"via": via.label, "via_op": via.op_type}
                severity = None if is_sure else Severity.INFO  # TensorRT may move the pair
                yield Hit(op.node, facts, variant="via", severity=severity, related=(via,))
    else:  # no activation is quantized anywhere, so it is deliberate
        facts = {**_facts(context, found[0]), **effect(quantization, found)}
        yield from together(nodes_of(found), facts, variant="whole", severity=Severity.INFO)


def _facts(context: Context, op: WeightedOp) -> dict[str, object]:
    return {"float": op.float_precision, **move_for(context, op.node)}


def _activation_behind_pair(quantization: QuantizationMap, op: WeightedOp) -> Node | None:
    """Return the activation between a pair and a layer, which belongs before the pair."""
    node = op.data.root.producer
    source = (
        node.input(0) if node is not None and node.op_type in having(Trait.ACTIVATION) else None
    )
    return node if source is not None and quantization.operand(source).is_quantized else None


def one_activation_left_float(context: Context) -> Iterator[Hit]:
    """Products of two activations, only one of which is quantized."""
    quantization = context.analysis(QuantizationMap)
    for op in _plain(quantization):
        if op.data.is_constant or op.weight.is_constant:
            continue
        if op.data.is_quantized != op.weight.is_quantized:
            side = "second" if op.data.is_quantized else "first"
            value = op.weight.value if op.data.is_quantized else op.data.value
            facts = {"side": side, "operand": value.name, **_facts(context, op)}
            yield Hit(op.node, {**facts, **effect(quantization, [op])})


def half_quantized_attention(context: Context) -> Iterator[Hit]:
    """Attention whose two products are quantized differently."""
    quantization = context.analysis(QuantizationMap)
    for softmax in context.nodes("Softmax"):
        scores, mix = _scores(quantization, softmax), _mix(quantization, softmax)
        if scores is None or mix is None or scores.is_quantized == mix.is_quantized:
            continue
        quantized, floating = (scores, mix) if scores.is_quantized else (mix, scores)
        if floating.data.is_quantized or floating.weight.is_quantized:
            continue  # one operand is float, which is another rule's finding
        facts = {"other": quantized.node.label, "float": floating.float_precision}
        yield Hit(
            floating.node,
            {**facts, **effect(quantization, [floating])},
            related=(softmax, quantized.node),
        )


def _scores(quantization: QuantizationMap, softmax: Node) -> WeightedOp | None:
    """Return the product that a Softmax normalizes."""
    value = softmax.input(0)
    for _ in range(12):
        producer = value.producer if value is not None else None
        if producer is None:
            return None
        op = quantization.op(producer)
        if op is not None:
            return op if not op.has_weight else None
        if not rides_along(producer) and quantization.converter(producer) is None:
            return None
        value = next((v for v in producer.inputs if v is not None and not v.is_constant), None)
    return None


def _mix(quantization: QuantizationMap, softmax: Node) -> WeightedOp | None:
    """Return the product that consumes the output of a Softmax."""
    value = softmax.output()
    for _ in range(6):
        if value is None or not value.consumers:
            return None
        node = value.consumers[0].node
        op = quantization.op(node)
        if op is not None:
            return op if not op.has_weight else None
        if not rides_along(node) and quantization.converter(node) is None:
            return None
        value = node.output()
    return None


def _plain(quantization: QuantizationMap) -> Iterable[WeightedOp]:
    """Iterate over ops that Q/DQ pairs make integer, if not all of them are."""
    if len(quantization.quantized_ops) == len(quantization.ops):
        return ()
    return (
        op
        for op in quantization.ops
        if op.integer is None and op.weight_bits is None and not op.is_recurrent
    )


def skip_branch_left_float(context: Context) -> Iterator[Hit]:
    """Quantized residual additions with one float branch."""
    quantization = context.analysis(QuantizationMap)
    if not quantization.quantizers:
        return
    for node in context.nodes("Add", "Sum"):
        operands = [quantization.operand(v) for v in node.inputs if v is not None]
        if len(operands) != 2 or any(operand.is_constant for operand in operands):
            continue
        floating = [o for o in operands if not o.is_quantized]
        loose = [o for o in floating if not _fuses(quantization, o)]
        if not floating or not quantization.is_quantized_after(node):
            continue
        fusing = [o for o in floating if _is_quantized_layer(quantization, o)]
        if len(loose) == 1 or len(fusing) == 2:
            branch = (loose or fusing)[0]
            if branch.root.is_constant or _is_stored_operand(branch):
                continue
            facts = {"branch": branch.value.name, "output": _label(branch.value)}
            facts |= move_for(context, node)
            yield Hit(node, facts, variant="" if loose else "both")


def _fuses(quantization: QuantizationMap, operand: Operand) -> bool:
    """Return True if the addition can be fused into the producer of this operand."""
    layer = quantization.op(operand.root.producer)
    return layer is not None and operand.root.sole_consumer is not None


def _is_quantized_layer(quantization: QuantizationMap, operand: Operand) -> bool:
    layer = quantization.op(operand.root.producer)
    return layer is not None and layer.is_quantized


def _is_stored_operand(operand: Operand) -> bool:
    return operand.dequantizer is not None and operand.dequantizer.is_weight


def _label(value: Value) -> str:
    return value.producer.label if value.producer is not None else value.name


def float_island(context: Context) -> Iterator[Hit]:
    """Float regions with weighted ops between quantized ops."""
    quantization = context.analysis(QuantizationMap)
    for island in find_islands(quantization):
        float_ops = [
            op
            for op in island.ops
            if not op.data.is_quantized and not op.weight.is_quantized and not op.weight_bits
        ]
        if len(float_ops) != len(island.ops):
            continue  # half quantized, which is another rule's finding
        facts: dict[str, object] = {
            "nodes": len(island.nodes),
            "conversions": island.conversions,
            "opener_op": island.opener.op_type,
            "move": "",
        }
        if float_ops:
            facts |= {**_facts(context, float_ops[0]), **effect(quantization, float_ops)}
            facts["products"] = len(float_ops)
            yield Hit(float_ops[0].node, facts)
        elif not _is_sensitive(island.nodes):
            yield Hit(island.opener, facts, variant="no-products", severity=Severity.INFO)


def _is_sensitive(nodes: Iterable[Node]) -> bool:
    """Return True if an island is in float for accuracy."""
    return any(node.op_type in having(Trait.SENSITIVE, Trait.ATTENTION) for node in nodes)
