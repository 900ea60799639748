"""Where Q and DQ stand: pairs that are missing, too many, or on the wrong side of an op."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modellint.analysis.quantization import (
    Converter,
    Operand,
    QuantizationMap,
    Scheme,
    WeightedOp,
    find_islands,
    stored_root,
)
from modellint.analysis.quantization.onnxruntime import (
    CARRIES,
    bias_fits,
    bias_of,
    bias_ratio,
    blocking_move,
    layers_around,
    needs_pair,
    shared_int8_pairs,
)
from modellint.analysis.quantization.ops import (
    ACTIVATIONS,
    LONGEST,
    MOVING,
    NORMALIZING,
    SHAPE_READERS,
    rides_along,
)
from modellint.checks.api import Context, Hit
from modellint.checks.quantization_effect import effect
from modellint.checks.quantization_legality import together
from modellint.finding import Severity
from modellint.model import Node, Value

# Operands of weighted ops


def weight_left_float(context: Context) -> Iterator[Hit]:
    """Quantized activations that meet a float weight."""
    quantization = context.analysis(QuantizationMap)
    for op in _plain(quantization):
        if op.data.is_quantized and op.weight.is_constant and not op.weight.is_quantized:
            is_mended = context.deployment.runtime == "onnxruntime" and op.node.op_type != "MatMul"
            yield Hit(
                op.node,
                {"float": op.float_precision, **effect(quantization, [op])},
                variant="mended" if is_mended else "",
                severity=Severity.INFO if is_mended else None,
            )


def activation_left_float(context: Context) -> Iterator[Hit]:
    """8-bit weights that meet float activations."""
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
    is_sure = context.deployment.runtime == "onnxruntime"
    if quantization.quantized_ops:
        for op in found:
            via = _activation_behind_pair(quantization, op)
            facts = {"float": op.float_precision, **effect(quantization, [op])}
            if via is None:
                yield Hit(op.node, facts)
            else:
                facts |= {"via": via.label, "via_op": via.op_type}
                severity = None if is_sure else Severity.INFO  # TensorRT may move the pair
                yield Hit(op.node, facts, variant="via", severity=severity, related=(via,))
    else:  # no activation is quantized anywhere: somebody chose to
        facts = {"float": found[0].float_precision, **effect(quantization, found)}
        yield from together(_nodes(found), facts, variant="whole", severity=Severity.INFO)


def _activation_behind_pair(quantization: QuantizationMap, op: WeightedOp) -> Node | None:
    """The activation between a pair and the layer that should have it right in front."""
    node = op.data.root.producer
    source = node.input(0) if node is not None and node.op_type in ACTIVATIONS else None
    return node if source is not None and quantization.operand(source).is_quantized else None


def one_activation_left_float(context: Context) -> Iterator[Hit]:
    """Products of two activations of which only one is quantized."""
    quantization = context.analysis(QuantizationMap)
    for op in _plain(quantization):
        if op.data.is_constant or op.weight.is_constant:
            continue
        if op.data.is_quantized != op.weight.is_quantized:
            side = "second" if op.data.is_quantized else "first"
            value = op.weight.value if op.data.is_quantized else op.data.value
            facts = {"side": side, "operand": value.name, "float": op.float_precision}
            yield Hit(op.node, {**facts, **effect(quantization, [op])})


def half_quantized_attention(context: Context) -> Iterator[Hit]:
    """Attention whose two products are not quantized alike."""
    quantization = context.analysis(QuantizationMap)
    for softmax in context.nodes("Softmax"):
        scores, mix = _scores(quantization, softmax), _mix(quantization, softmax)
        if scores is None or mix is None or scores.is_quantized == mix.is_quantized:
            continue
        quantized, floating = (scores, mix) if scores.is_quantized else (mix, scores)
        if floating.data.is_quantized or floating.weight.is_quantized:
            continue  # one operand is missing, which is another question
        facts = {"other": quantized.node.label, "float": floating.float_precision}
        yield Hit(
            floating.node,
            {**facts, **effect(quantization, [floating])},
            related=(softmax, quantized.node),
        )


def _scores(quantization: QuantizationMap, softmax: Node) -> WeightedOp | None:
    """The product that a Softmax normalizes."""
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
    """The product that takes what a Softmax gives."""
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
    """Ops that would be integer if Q/DQ around them made them so, where some are not."""
    if len(quantization.quantized_ops) == len(quantization.ops):
        return ()
    return (
        op
        for op in quantization.ops
        if op.integer is None and op.weight_bits is None and not op.is_recurrent
    )


def _nodes(ops: Iterable[WeightedOp]) -> list[Node]:
    return [op.node for op in ops]


# Where branches meet


def skip_branch_left_float(context: Context) -> Iterator[Hit]:
    """Residual additions, quantized behind, that take one branch in float."""
    quantization = context.analysis(QuantizationMap)
    if not quantization.quantizers:
        return
    for node in context.nodes("Add", "Sum"):
        operands = [quantization.operand(v) for v in node.inputs if v is not None]
        if len(operands) != 2 or any(operand.is_constant for operand in operands):
            continue
        floating = [o for o in operands if not o.is_quantized]
        loose = [o for o in floating if not _fuses(quantization, o)]
        if not floating or not _is_quantized_behind(quantization, node):
            continue
        fusing = [o for o in floating if _is_quantized_layer(quantization, o)]
        if len(loose) == 1 or len(fusing) == 2:
            branch = (loose or fusing)[0]
            if branch.root.is_constant or _is_stored_operand(branch):
                continue
            facts = {"branch": branch.value.name, "output": _label(branch.value)}
            yield Hit(node, facts, variant="" if loose else "both")


def _fuses(quantization: QuantizationMap, operand: Operand) -> bool:
    """Whether the addition can be part of the layer that makes this operand."""
    layer = quantization.op(operand.root.producer)
    return layer is not None and operand.root.sole_consumer is not None


def _is_quantized_layer(quantization: QuantizationMap, operand: Operand) -> bool:
    layer = quantization.op(operand.root.producer)
    return layer is not None and layer.is_quantized


def _is_stored_operand(operand: Operand) -> bool:
    return operand.dequantizer is not None and operand.dequantizer.is_weight


def _is_quantized_behind(quantization: QuantizationMap, node: Node) -> bool:
    """Whether the result, past an activation at most, is quantized."""
    value = node.output()
    for _ in range(2):
        if value is None:
            return False
        if quantization.quantizers_after(value):
            return True
        after = value.sole_consumer
        value = after.output() if after is not None and after.op_type in ACTIVATIONS else None
    return False


def _label(value: Value) -> str:
    return value.producer.label if value.producer is not None else value.name


def concat_of_scales(context: Context) -> Iterator[Hit]:
    """Concat whose inputs carry different scales."""
    quantization = context.analysis(QuantizationMap)
    for node in context.nodes("Concat"):
        schemes = [
            dq.scheme
            for value in node.inputs
            if value is not None and (dq := quantization.dequantizer_of(value)) is not None
        ]
        scales = sorted({scale for s in schemes if (scale := _only_scale(s)) is not None})
        if len(scales) < 2 or not _is_quantized_behind(quantization, node):
            continue
        facts = {"different": len(scales), "low": f"{scales[0]:.3g}", "high": f"{scales[-1]:.3g}"}
        yield Hit(node, {**facts, "inputs": len(node.inputs)})


def _only_scale(scheme: Scheme) -> float | None:
    scales = scheme.scales
    return float(scales.reshape(-1)[0]) if scales is not None and scales.size == 1 else None


def move_rescales(context: Context) -> Iterator[Hit]:
    """Ops that only move numbers, between a DQ and a Q of other parameters."""
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


def _scale(scheme: Scheme) -> str:
    return f"{float(scheme.scales.max()):.3g}" if scheme.scales is not None else "?"


# Pairs that cut what belongs together


def quantized_before_activation(context: Context) -> Iterator[Hit]:
    """A pair between a quantized op and the activation that could be part of it."""
    yield from _cut(context, frozenset({"Relu", "Clip", "LeakyRelu", "PRelu", "HardSwish"}))


def quantized_before_batchnorm(context: Context) -> Iterator[Hit]:
    """A pair between a quantized op and its BatchNormalization."""
    yield from _cut(context, frozenset({"BatchNormalization"}))


def _cut(context: Context, ops: frozenset[str]) -> Iterator[Hit]:
    quantization = context.analysis(QuantizationMap)
    is_tensorrt = (context.deployment.runtime or "").startswith("tensorrt")
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
    if found:
        _, layer, after_layer = found[0]
        layers = (quantization.op(layer) for _, layer, _ in found)
        facts = {
            "layer_op": layer.op_type,
            "layer": layer.label,
            "after_op": after_layer.op_type,
            "after": after_layer.label,
            "share": quantization.share(op for op in layers if op is not None),
        }
        yield from together([q.node for q, _, _ in found], facts)


def _runs_integer(quantization: QuantizationMap, node: Node) -> bool:
    """Whether a node is a quantized layer, or an addition of quantized branches."""
    op = quantization.op(node)
    if op is not None:
        return op.is_quantized
    return node.op_type == "Add" and all(
        value is not None and quantization.operand(value).is_quantized for value in node.inputs
    )


def batchnorm_beside_quantized(context: Context) -> Iterator[Hit]:
    """BatchNormalization behind a quantized op: what it scales is frozen already."""
    if (context.deployment.runtime or "").startswith("tensorrt"):
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
    """The node in front, past arithmetic with constants: training with quantization folds a
    normalization by scaling the weight, and divides the result again."""
    for _ in range(4):
        value = next((v for v in node.inputs if v is not None and not v.is_constant), None)
        if value is None or value.producer is None:
            return None
        node = value.producer
        if node.op_type not in ("Add", "Div", "Mul", "Sub"):
            return node
    return None


# Pairs for nothing


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
    """Whether nothing is done with a value but to return it, moved at most."""
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
    """A pair whose number nobody takes quantized."""
    quantization = context.analysis(QuantizationMap)
    for q in quantization.activation_quantizers:
        if q.feeds_layer:
            continue
        outputs = quantization.dequantizers_after(q)
        uses = [use.node for output in outputs for use in output.consumers]
        is_kept = any(output.is_output for output in outputs) or q.output.is_output
        if not uses or is_kept or len(q.output.consumers) != len(outputs):
            continue
        if any(_takes_quantized(quantization, node) for node in uses):
            continue
        if all(_only_returned(output) for output in outputs):
            continue  # the end of the network, which is another question
        if not _makes_integer(context, quantization, q):
            facts = {"consumer": uses[0].label, "consumer_op": uses[0].op_type}
            yield Hit(q.node, facts, related=tuple(uses[:2]))


def dequantizer_shared(context: Context) -> Iterator[Hit]:
    """An activation that some consumers take quantized and others in float."""
    quantization = context.analysis(QuantizationMap)
    for dq in quantization.activation_dequantizers:
        if len(dq.output.consumers) < 2:
            continue
        nodes = [use.node for use in dq.output.consumers]
        fusing = [n for n in nodes if (op := quantization.op(n)) is not None and op.is_quantized]
        floating = [
            node
            for node in nodes
            if node.op_type not in SHAPE_READERS and not _takes_quantized(quantization, node)
        ]
        if fusing and floating:
            facts = {"fusing": fusing[0].label, "floating": floating[0].label}
            facts["floating_op"] = floating[0].op_type
            yield Hit(dq.node, facts, related=(fusing[0], floating[0]))


def _makes_integer(context: Context, quantization: QuantizationMap, q: Converter) -> bool:
    """Whether the op before a pair needs it to be integer.

    TensorRT gives float results from integer kernels. ONNX Runtime does so for matrix products
    only; all its other integer kernels need a Q behind them.
    """
    if (context.deployment.runtime or "").startswith("tensorrt"):
        return False
    producer = q.source.producer
    for _ in range(LONGEST):
        if producer is None or producer.op_type not in {"Relu", "Clip", *CARRIES}:
            break
        source = producer.input(0)
        producer = source.producer if source is not None else None
    if producer is None:
        return False
    op = quantization.op(producer)
    if op is not None:
        return op.is_quantized and not op.node.op_type.endswith("MatMul")
    return any(v is not None and quantization.operand(v).is_quantized for v in producer.inputs)


def _takes_quantized(quantization: QuantizationMap, node: Node) -> bool:
    """Whether a node, or what rides along behind it, runs on quantized numbers."""
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
    """A DQ that is quantized again at once."""
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


def move_stops_pair(context: Context) -> Iterator[Hit]:
    """Ops that only move numbers, and that ONNX Runtime does not move a DQ across."""
    quantization = context.analysis(QuantizationMap)
    by_move: dict[int, tuple[Node, list[WeightedOp]]] = {}
    for op in quantization.quantized_ops:
        if op.integer is None and (node := blocking_move(op)) is not None:
            by_move.setdefault(id(node), (node, []))[1].append(op)
    for node, ops in by_move.values():
        facts = {"layer": ops[0].node.label, "layer_op": ops[0].node.op_type}
        yield Hit(node, {**facts, **effect(quantization, ops)}, related=(ops[0].node,))


# What is quantized


def bias_off_scale(context: Context) -> Iterator[Hit]:
    """int32 biases whose scale is not the product of the other two."""
    runtime = context.deployment.runtime or ""
    if runtime.startswith("tensorrt"):
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
        is_wrong = runtime == "onnxruntime" and ops[0].node.op_type.endswith("Gemm")
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
    """A bias of zeros is right at any scale; only a convolution is left in float for it."""
    stored = stored_root(bias.source)
    values = stored.tensor.if_small() if stored is not None and stored.tensor else None
    return values is not None and not values.any() and op.node.op_type.endswith("Gemm")


def output_left_float(context: Context) -> Iterator[Hit]:
    """Layers with quantized operands that ONNX Runtime runs in float for want of a Q behind."""
    quantization = context.analysis(QuantizationMap)
    normalized = {id(_layer_before(node)) for node in context.nodes("BatchNormalization")}
    found = [
        op
        for op in quantization.ops
        if op.held_back == "output" and id(op.node) not in normalized  # another question
    ]
    if found:
        facts = {"after": _what_follows(found[0].node.output())}
        yield from together(_nodes(found), {**facts, **effect(quantization, found)})


def _what_follows(value: Value | None) -> str:
    if value is None or not value.consumers:
        return "the output"
    if len(value.consumers) > 1 or value.is_output:
        return "several consumers"
    after = value.consumers[0].node
    return f"{after.op_type} '{after.label}'"


def int8_pair_shared(context: Context) -> Iterator[Hit]:
    """int8 activations that several nodes take, which ONNX Runtime leaves alone on x86."""
    if context.deployment.target is not None:
        return  # a device of its own, not the host's processor
    quantization = context.analysis(QuantizationMap)
    pairs = shared_int8_pairs(quantization)
    layers = [op for op in layers_around(quantization, pairs) if not op.held_back]
    if layers:
        facts = {"layers": len(layers), **effect(quantization, layers)}
        yield from together([pair.node for pair in pairs], facts)


_SENSITIVE = (NORMALIZING | {"Erf", "FastGelu", "QuickGelu"}) - {"Attention"}


def sensitive_op_quantized(context: Context) -> Iterator[Hit]:
    """Softmax, normalizations and GELU between a DQ and a Q."""
    quantization = context.analysis(QuantizationMap)
    by_op: dict[str, list[Node]] = {}
    for graph in context.graphs():
        for nodes in graph.by_op.values():
            if nodes[0].op_type not in _SENSITIVE:
                continue
            found = [node for node in nodes if _is_between(quantization, node)]
            if found:
                by_op.setdefault(nodes[0].op_type, []).extend(found)
    for op, nodes in by_op.items():
        yield from together(nodes, {"kind": op}, variant="gelu" if op in _GELU else "")


_GELU = ("Erf", "Gelu", "FastGelu", "QuickGelu")


def _is_between(quantization: QuantizationMap, node: Node) -> bool:
    source, result = node.input(0), node.output()
    if source is None or result is None:
        return False
    dq = quantization.dequantizer_of(source)
    return dq is not None and not dq.is_weight and bool(quantization.quantizers_after(result))


def embedding_per_tensor(context: Context) -> Iterator[Hit]:
    """Embedding tables that share one scale among all rows."""
    quantization = context.analysis(QuantizationMap)
    rows_at_least = context.options["rows"]
    for dq in quantization.weight_dequantizers:
        if not dq.scheme.is_per_tensor:
            continue
        table = stored_root(dq.source)
        if table is None or table.tensor is None:
            continue
        shape = table.tensor.shape
        if len(shape) == 2 and shape[0] >= rows_at_least and _is_looked_up(dq, table):
            bits = int(dq.scheme.dtype.bits) if dq.scheme.dtype is not None else 8
            facts = {"table": table.name, "rows": shape[0], "width": shape[1], "bits": bits}
            yield Hit(dq.node, facts)


def _is_looked_up(dq: Converter, table: Value) -> bool:
    return any(
        use.node.op_type == "Gather" and use.index == 0
        for value in (dq.output, table)
        for use in value.consumers
    )


def depthwise_per_tensor(context: Context) -> Iterator[Hit]:
    """Depthwise convolutions whose weights share one scale."""
    quantization = context.analysis(QuantizationMap)
    found = [
        op
        for op in quantization.ops
        if op.is_depthwise and op.weight.scheme is not None and op.weight.scheme.is_per_tensor
    ]
    if found:
        tensor = found[0].weight.root.tensor
        facts = {"channels": tensor.shape[0] if tensor is not None else 0}
        yield from together(_nodes(found), {**facts, "share": quantization.share(found)})


def edge_layer_quantized(context: Context) -> Iterator[Hit]:
    """The first and the last weighted op of a quantized model."""
    quantization = context.analysis(QuantizationMap)
    with_weights = [op for op in quantization.ops if op.has_weight]
    if len(with_weights) < 3:
        return
    with_weights.sort(key=lambda op: op.node.index)
    for op, place in ((with_weights[0], "first"), (with_weights[-1], "last")):
        if op.is_quantized:
            yield Hit(op.node, {"place": place, "computed": op.precision})


def float_island(context: Context) -> Iterator[Hit]:
    """Float regions with work in them between quantized ops."""
    quantization = context.analysis(QuantizationMap)
    for island in find_islands(quantization):
        float_ops = [
            op
            for op in island.ops
            if not op.data.is_quantized and not op.weight.is_quantized and not op.weight_bits
        ]
        if len(float_ops) != len(island.ops):
            continue  # half quantized, which is another question
        facts: dict[str, object] = {
            "nodes": len(island.nodes),
            "conversions": island.conversions,
            "opener_op": island.opener.op_type,
        }
        if float_ops:
            facts |= {"float": float_ops[0].float_precision, **effect(quantization, float_ops)}
            facts["products"] = len(float_ops)
            yield Hit(float_ops[0].node, facts)
        elif not _is_sensitive(island.nodes):
            yield Hit(island.opener, facts, variant="no-products", severity=Severity.INFO)


def _is_sensitive(nodes: Iterable[Node]) -> bool:
    """Whether an island is there for the sake of accuracy."""
    return any(node.op_type in _SENSITIVE or node.op_type == "Attention" for node in nodes)
