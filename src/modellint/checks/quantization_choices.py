"""Choice of quantized ops, and of granularity."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.analysis.quantization import Converter, QuantizationMap, stored_root, used_levels
from modellint.checks.api import Context, Hit
from modellint.checks.quantization_common import SENSITIVE, nodes_of
from modellint.checks.repeats import together
from modellint.model import Node, Value
from modellint.operators import Trait, having


def sensitive_op_quantized(context: Context) -> Iterator[Hit]:
    """Softmax, normalizations and GELU between a DQ and a Q."""
    if context.lacks(QuantizationMap.starts_from):
        return
    quantization = context.analysis(QuantizationMap)
    by_op: dict[str, list[Node]] = {}
    for graph in context.graphs():
        for nodes in graph.by_op.values():
            if nodes[0].op_type not in SENSITIVE:
                continue
            found = [node for node in nodes if _is_between(quantization, node)]
            if found:
                by_op.setdefault(nodes[0].op_type, []).extend(found)
    for op, nodes in by_op.items():
        yield from together(nodes, {"kind": op}, variant="gelu" if op in _GELU else "")


_GELU = having(Trait.GELU)


def _is_between(quantization: QuantizationMap, node: Node) -> bool:
    source, result = node.input(0), node.output()
    if source is None or result is None:
        return False
    dq = quantization.dequantizer_of(source)
    return dq is not None and not dq.is_weight and bool(quantization.quantizers_after(result))


def embedding_per_tensor(context: Context) -> Iterator[Hit]:
    """Embedding tables with one scale for all rows."""
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
    """Depthwise convolutions with per-tensor weights."""
    quantization = context.analysis(QuantizationMap)
    found = [
        op
        for op in quantization.ops
        if op.is_depthwise and op.weight.scheme is not None and op.weight.scheme.is_per_tensor
    ]
    if found:
        tensor = found[0].weight.root.tensor
        facts = {"channels": tensor.shape[0] if tensor is not None else 0}
        yield from together(nodes_of(found), {**facts, "share": quantization.share(found)})


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


def collapsed_channels(context: Context) -> Iterator[Hit]:
    """Quantized weights that use few of their levels in some channels."""
    quantization = context.analysis(QuantizationMap)
    for op in quantization.ops:
        levels = used_levels(op)
        if levels is None:
            continue
        poor = [channel for channel, used in enumerate(levels) if 0 < used < 8]
        if len(poor) >= 0.1 * len(levels):
            worst = min(poor, key=levels.__getitem__)
            facts = {"poor": len(poor), "channels": len(levels), "channel": worst}
            yield Hit(op.node, {**facts, "levels": levels[worst]})
