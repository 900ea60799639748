"""Pairs of Q and DQ removed, or given the scale of their neighbor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modellint.analysis.quantization import Converter, QuantizationMap, Scheme
from modellint.analysis.quantization.onnxruntime import CLIPPING
from modellint.analysis.quantization.ops import SHAPE_READERS
from modellint.analysis.quantization.surplus import takes_quantized
from modellint.checks.api import Context, Hit
from modellint.fixes.building import main_opset
from modellint.model import DTYPES, Node
from modellint.model.edits import Fix, GraphEdit, RemoveNodes, Replace, SetInput

STEPS = 0.05
"""Largest change by a rounding more or less to 8 bits, relative to the largest element."""
_SMALLEST_SCALE = 1e-30
_INT8, _UINT8 = DTYPES["int8"], DTYPES["uint8"]


def drop_pair(context: Context, hit: Hit) -> Fix | None:
    """Let consumers of a pair read the float value that it quantizes."""
    return _without_pair(context, hit.place) if isinstance(hit.place, Node) else None


def pass_batchnorm(context: Context, hit: Hit) -> Fix | None:
    """Drop pairs before a BatchNormalization whose own result is quantized.

    If it is not, a pair would have to move, and its range would need data.
    """
    quantization = context.analysis(QuantizationMap)
    fixes = [
        fix
        for node in all_places(hit)
        if (pair := quantization.converter(node)) is not None
        and _is_quantized_later(quantization, pair)
        and (fix := _without_pair(context, node)) is not None
    ]
    if not fixes:
        return None
    edits = tuple(edit for fix in fixes for edit in fix.edits)
    says = (
        fixes[0].says
        if len(fixes) == 1
        else f"Removes {len(fixes)} pairs before BatchNormalization."
    )
    return Fix(edits, says, tolerance=STEPS)


def _is_quantized_later(quantization: QuantizationMap, pair: Converter) -> bool:
    """Return True if all that read a pair are quantized, at once or after an activation."""
    readers = [
        use.node for value in quantization.dequantizers_after(pair) for use in value.consumers
    ]
    return all(_ends_quantized(quantization, node) for node in readers)


def _ends_quantized(quantization: QuantizationMap, node: Node) -> bool:
    result = node.output()
    after = result.sole_consumer if result is not None else None
    if after is not None and after.op_type in CLIPPING:
        result = after.output()
    return result is not None and bool(quantization.quantizers_after(result))


def _without_pair(context: Context, node: Node) -> Fix | None:
    quantization = context.analysis(QuantizationMap)
    found = quantization.converter(node)
    if found is None or not main_opset(context, node.graph):
        return None
    quantizer = found.undoes if found.kind == "dequantize" else found
    if quantizer is None:
        return None
    results = quantization.dequantizers_after(quantizer)
    results = [found.output] if found.kind == "dequantize" else results
    removed = [each.producer for each in results if each.producer is not None]
    if len(quantizer.output.consumers) == len(removed) and not quantizer.output.is_output:
        removed.append(quantizer.node)
    if not results or any(value.dtype != quantizer.source.dtype for value in results):
        return None
    replaced = (Replace(value, quantizer.source) for value in results)
    says = f"Removes the pair of {quantizer.node.op_type} '{quantizer.node.label}'."
    return Fix((*replaced, RemoveNodes(tuple(removed))), says, tolerance=STEPS)


def share_source(context: Context, hit: Hit) -> Fix | None:
    """Let float readers of a pair read the value from before it."""
    quantization = context.analysis(QuantizationMap)
    node = hit.place if isinstance(hit.place, Node) else None
    pair = quantization.converter(node)
    if node is None or pair is None or pair.undoes is None or not main_opset(context, node.graph):
        return None
    uses = tuple(
        use
        for use in pair.output.consumers
        if use.node.op_type not in SHAPE_READERS and not takes_quantized(quantization, use.node)
    )
    if not uses or pair.output.dtype != pair.undoes.source.dtype:
        return None
    says = f"Lets {uses[0].node.op_type} '{uses[0].node.label}' read the unrounded value."
    return Fix((Replace(pair.output, pair.undoes.source, uses),), says, tolerance=STEPS)


def drop_requantization(context: Context, hit: Hit) -> Fix | None:
    """Remove a Q that merely returns the input of the DQ before it."""
    quantization = context.analysis(QuantizationMap)
    node = hit.place if isinstance(hit.place, Node) else None
    quantizer = quantization.converter(node)
    before = quantizer.before if quantizer is not None else None
    if node is None or quantizer is None or before is None or not main_opset(context, node.graph):
        return None
    one, other = before.scheme, quantizer.scheme
    if one.same_as(other) is not True or one.dtype not in (_INT8, _UINT8):
        return None
    if not one.is_per_tensor and (one.axis != other.axis or one.block or other.block):
        return None
    scales = one.scales
    if scales is None or not bool((scales > _SMALLEST_SCALE).all() and (scales < 1e30).all()):
        return None
    removed = [node]
    if before.output.sole_consumer is node:
        removed.append(before.node)
    says = (
        f"Removes {node.op_type} '{node.label}', which returns the value from before quantization."
    )
    return Fix((Replace(quantizer.output, before.source), RemoveNodes(tuple(removed))), says)


def keep_scale(context: Context, hit: Hit) -> Fix | None:
    """Give the pair after an op that only moves elements the parameters of the one before it."""
    quantization = context.analysis(QuantizationMap)
    if len(hit.related) != 2 or not main_opset(context, hit.related[1].graph):
        return None
    before, after = (quantization.converter(node) for node in hit.related)
    if before is None or after is None or not is_closed(quantization, after):
        return None
    if (before.scheme.zero_point is None) != (after.scheme.zero_point is None):
        return None
    if biases_follow(quantization, after):
        return None
    edits = list(_given(quantization, after, before.scheme))
    says = f"Gives '{after.node.label}' the scale of '{before.node.label}'."
    return Fix(tuple(edits), says, tolerance=STEPS)


def share_scale(context: Context, hit: Hit) -> Fix | None:
    """Give all inputs of a Concat the parameters of its output, if its scale is the largest."""
    quantization = context.analysis(QuantizationMap)
    node = hit.place
    result = node.output() if isinstance(node, Node) else None
    if not isinstance(node, Node) or result is None or not main_opset(context, node.graph):
        return None
    after = quantization.quantizers_after(result)
    pairs = [quantization.dequantizer_of(v) for v in node.inputs if v is not None]
    if len(after) != 1 or None in pairs or not after[0].scheme.is_per_tensor:
        return None
    wanted = after[0].scheme
    edits: list[GraphEdit] = []
    for pair in pairs:
        quantizer = pair.undoes if pair is not None else None
        if pair is None or quantizer is None or not is_closed(quantization, quantizer):
            return None
        scheme = quantizer.scheme
        if scheme.dtype is not wanted.dtype or not scheme.is_per_tensor:
            return None
        if scheme.same_as(wanted):
            continue
        alone = pair.output.sole_consumer is node and len(quantizer.output.consumers) == 1
        if not alone or not _covers(wanted, scheme):
            return None
        edits += _given(quantization, quantizer, wanted)
    if not edits:
        return None
    says = f"Gives the inputs of Concat '{node.label}' the scale of its output."
    return Fix(tuple(edits), says, tolerance=STEPS)


def _covers(wide_scheme: Scheme, narrow: Scheme) -> bool:
    """Return True if a scheme has the larger scale and the same zero point."""
    one, other = wide_scheme.scales, narrow.scales
    if one is None or other is None or not bool(one.reshape(-1)[0] >= other.reshape(-1)[0]):
        return False
    points = (wide_scheme.zero_points, narrow.zero_points)
    if points[0] is None or points[1] is None:
        return bool(wide_scheme.is_symmetric and narrow.is_symmetric) and points == (None, None)
    return bool(points[0].reshape(-1)[0] == points[1].reshape(-1)[0])


def is_closed(quantization: QuantizationMap, quantizer: Converter) -> bool:
    """Return True if only DQs read the result of a Q."""
    output = quantizer.output
    return not output.is_output and all(
        (found := quantization.converter(use.node)) is not None and found.kind == "dequantize"
        for use in output.consumers
    )


def _given(
    quantization: QuantizationMap, quantizer: Converter, scheme: Scheme
) -> Iterator[GraphEdit]:
    """Give a Q and its DQs the parameters of another."""
    readers = [use.node for use in quantizer.output.consumers]
    for node in (quantizer.node, *readers):
        yield SetInput(node, 1, scheme.scale)
        if scheme.zero_point is not None:
            yield SetInput(node, 2, scheme.zero_point)


def biases_follow(quantization: QuantizationMap, quantizer: Converter) -> bool:
    """Return True if a layer reads a pair whose scale is that of the layer's bias, too."""
    for value in quantization.dequantizers_after(quantizer):
        for use in value.consumers:
            bias = use.node.input(2)
            if bias is not None and quantization.dequantizer_of(bias) is not None:
                return True
    return False


def all_places(hit: Hit) -> Iterable[Node]:
    """Return all nodes that a hit stands for."""
    return hit.places or ((hit.place,) if isinstance(hit.place, Node) else ())
