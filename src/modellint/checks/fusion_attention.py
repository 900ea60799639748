"""Attention that is not fused, and its surroundings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from modellint.analysis.attention import AttentionBlock, Attentions, Rotations
from modellint.analysis.cost import cost
from modellint.analysis.cost.traffic import nbytes
from modellint.analysis.shapes import DeployedTypes
from modellint.checks.api import Context, Hit
from modellint.checks.fusion import (
    TENSORRT,
    constant_shape,
    describe,
    is_moot,
    unfused,
)
from modellint.formats.onnx.facts import onnx_facts
from modellint.model import Node, Value
from modellint.results.finding import Severity


def unfused_attention(context: Context) -> Iterator[Hit]:
    """Attention that the runtime runs as separate ops."""
    for block in context.analysis(Attentions).found:
        breaker, reason = _breaker(context, block)
        if not reason and (onnx_facts(context.model).opset or 0) < 13 and not context.for_tensorrt:
            continue  # the exports that ONNX Runtime's pass supports
        unsure = reason == "float32" and context.deployment.precision is None
        yield from unfused(
            context,
            breaker,
            block.nodes,
            {
                "nodes": len(block.nodes),
                "breaker": breaker.label,
                "reason": reason,
                "size": _head_size(context, block),
            },
            variant=reason,
            witness=block.softmax,
            stopped=(TENSORRT,) if reason in _TENSORRT_REASONS else (),
            severity=Severity.INFO if unsure else None,
        )


_TENSORRT_REASONS = frozenset({"shared", "altered", "rank", "heads", "float32"})
_LARGEST_HEAD = 256


def _breaker(context: Context, block: AttentionBlock) -> tuple[Node, str]:
    """Return the node that prevents the runtime from fusing the block, and the reason."""
    if block.shared is not None:
        return block.shared, "shared"
    if block.alterations:
        return block.alterations[0], "altered"
    if context.for_tensorrt:
        return _tensorrt_breaker(context, block)
    if block.casts:
        return block.casts[0], "cast"
    reshapes = [node for node in block.between if node.op_type == "Reshape"]
    return (reshapes[0], "reshape") if reshapes else (block.softmax, "")


def _tensorrt_breaker(context: Context, block: AttentionBlock) -> tuple[Node, str]:
    """Return the node that TensorRT's kernels do not support, and the reason."""
    scores = block.scores.output()
    shape = context.shape(scores) if scores is not None else None
    if shape is not None and len(shape) == 3:
        return block.scores, "rank"
    if (_head_size(context, block) or 0) > _LARGEST_HEAD:
        return block.scores, "heads"
    wide = context.deployment.precision in (None, "fp32", "tf32", "fp64")
    return block.softmax, "float32" if wide and not _is_half(context, scores) else ""


def _head_size(context: Context, block: AttentionBlock) -> int | None:
    queries = block.scores.input(0)
    shape = context.shape(queries) if queries is not None else None
    return shape[-1] if shape and isinstance(shape[-1], int) else None


def nan_guard(context: Context) -> Iterator[Hit]:
    """IsNaN and Where between a Softmax and the following MatMul."""
    if is_moot(context):
        return
    for block in context.analysis(Attentions).found:
        if block.guard:
            facts = {"softmax": block.softmax.label, "matmul": block.result.label}
            yield from unfused(
                context, block.guard[0], block.guard, facts, vanishes=True, witness=block.guard[0]
            )


def late_scale(context: Context) -> Iterator[Hit]:
    """The scale applied to the scores instead of to the queries."""
    if is_moot(context):
        return
    for block in context.analysis(Attentions).found:
        for scale in block.scales[:1]:
            facts = {"scores": block.scores.label}
            yield from unfused(context, scale, [scale], facts, vanishes=True)


def _is_half(context: Context, value: Value | None) -> bool:
    return value is not None and str(context.dtype(value)) in ("float16", "bfloat16")


def expanded_heads(context: Context) -> Iterator[Hit]:
    """Keys and values copied for the query heads that share them."""
    if is_moot(context):
        return
    for block in context.analysis(Attentions).found:
        expands = block.expands
        if expands:
            facts = {"heads": _copies(context, expands[0]), "softmax": block.softmax.label}
            yield from unfused(context, expands[0], expands, facts, vanishes=True)


def _copies(context: Context, expand: Node) -> str:
    """Return the number of copies of each head, as far as known."""
    before, after = expand.input(0), expand.output()
    if before is None or after is None:
        return "several"
    shapes = context.shape(before), context.shape(after)
    for small, large in zip(shapes[0] or (), shapes[1] or (), strict=False):
        if small == 1 and isinstance(large, int) and large > 1:
            return str(large)
    return "several"


def rotary_embedding(context: Context) -> Iterator[Hit]:
    """Rotary embeddings decomposed to halves, negation and concatenation."""
    if is_moot(context):
        return
    for rotation in context.analysis(Rotations).found:
        facts = {"nodes": len(rotation.nodes)}
        yield from unfused(context, rotation.last, rotation.nodes, facts)


def parallel_projections(context: Context) -> Iterator[Hit]:
    """MatMuls of one input by several weights, such as for queries, keys and values."""
    if is_moot(context):
        return
    for graph in context.graphs():
        siblings: dict[int, list[Node]] = defaultdict(list)
        for node in graph.by_op.get("MatMul", ()):
            data, weight = node.input(0), node.input(1)
            shape = constant_shape(context, weight)
            if data is not None and shape is not None and len(shape) == 2:
                siblings[id(data)].append(node)
        for nodes in siblings.values():
            if len(nodes) > 1:
                data = nodes[0].input(0)
                yield from _projections(context, nodes, data)


def _projections(context: Context, nodes: list[Node], data: Value | None) -> Iterator[Hit]:
    """Iterate over hits for MatMuls that each read the same input."""
    types = context.analysis(DeployedTypes)
    size = nbytes(data, types, context.deployment.precision) if data is not None else None
    moved = size * (len(nodes) - 1) if size is not None else None
    total = context.analysis(cost).bytes_moved
    share = moved / total if moved and total else None
    facts: dict[str, object] = {
        "nodes": len(nodes),
        "names": [node.label for node in nodes],
        "value": data.name if data is not None else "",
        "bytes": moved,
        "share": share,
        "lost": describe(len(nodes) - 1, moved, share),
    }
    # About the input: the MatMuls may become Gemms and still be several.
    yield from unfused(context, data if data is not None else nodes[0], nodes, facts)
