"""Scales, zero points and axes that are invalid or inconsistent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from modellint.analysis.quantization import (
    Converter,
    QuantizationMap,
    Scheme,
    WeightedOp,
)
from modellint.analysis.quantization.ops import output_axis
from modellint.checks.api import Context, Hit
from modellint.checks.quantization_common import effect
from modellint.model import DType, Node, Value, format_shape
from modellint.operators import Trait, having, names
from modellint.results.finding import Severity

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONVOLUTIONS = names(Trait.CONVOLUTION)
DEQUANTIZERS = names(Trait.DEQUANTIZE)


def wrong_channel_axis(context: Context) -> Iterator[Hit]:
    """Per-channel weights quantized along other axes than the op's output channels."""
    is_ignored = context.deployment.runtime == "onnxruntime"
    quantization = context.analysis(QuantizationMap)
    for op in quantization.ops:
        found = _channel_axis(op)
        if found is None:
            continue
        axis, right = found
        if op.weight.dequantizer is not None and op.weight.root.tensor is not None:
            shape = op.weight.root.tensor.shape
            yield Hit(
                op.weight.dequantizer.node,
                {
                    "axis": axis,
                    "right": right,
                    "layer": op.node.label,
                    "layer_op": op.node.op_type,
                    "shape": format_shape(shape),
                    **effect(quantization, [op]),
                },
                variant="ignored" if is_ignored and not op.held_back else "",
                severity=Severity.ERROR if is_ignored and not op.held_back else None,
                related=(op.node,),
            )


def _channel_axis(op: WeightedOp) -> tuple[int, int] | None:
    """Return the axis a weight is quantized along and the correct one, if different."""
    scheme = op.weight.scheme
    tensor = op.weight.root.tensor
    if scheme is None or tensor is None or len(scheme.scale_shape or ()) != 1:
        return None
    rank = len(tensor.shape)
    axis, right = _through_moves(op, scheme.axis, rank), output_axis(op.node, rank)
    if axis == right or axis is None or right is None or scheme.granularity != "channel":
        return None
    return axis, right


def _through_moves(op: WeightedOp, axis: int, rank: int) -> int | None:
    """Return the axis of a stored weight after the ops between DQ and op have moved it."""
    axis = axis + rank if axis < 0 else axis
    for node in reversed(op.weight.moves):
        if node.op_type in having(Trait.TRANSPARENT):
            continue
        if node.op_type != "Transpose":
            return None
        order = node.get_ints("perm") or tuple(reversed(range(rank)))
        if axis not in order:
            return None
        axis = order.index(axis)
    return axis


def per_channel_activation(context: Context) -> Iterator[Hit]:
    """Activations with one scale per channel."""
    for converter in context.analysis(QuantizationMap).per_activation:
        scheme = converter.scheme
        if not scheme.is_per_tensor and scheme.granularity == "channel" and scheme.scale_shape:
            yield Hit(converter.node, {"axis": scheme.axis, "scales": scheme.scale_shape[0]})


def scale_not_constant(context: Context) -> Iterator[Hit]:
    """Scales that are computed in the graph or are inputs."""
    is_tensorrt = context.for_tensorrt
    is_rtx = context.deployment.runtime == "tensorrt-rtx"
    quantization = context.analysis(QuantizationMap)
    for converter in quantization.converters:
        scale = converter.scheme.scale
        if scale is None or scale.is_constant or _is_folded(scale):
            continue
        maker = scale.producer
        if converter.kind == "dequantize" and converter.undoes:
            continue  # already reported at its Q
        if maker is not None and _comes_from_dynamic(maker):
            continue
        if not is_tensorrt and not _is_of_pair(converter):
            continue  # quantizes for an operator that computes in the type
        source = f"{maker.op_type} '{maker.label}'" if maker is not None else "a graph input"
        facts = {"scale": scale.name, "source": source}
        refused = is_tensorrt and (not is_rtx or _reaches_convolution(converter.node))
        yield Hit(converter.node, facts, severity=Severity.ERROR if refused else None)


def _is_of_pair(converter: Converter) -> bool:
    """Return True for a DQ, and for a Q that one undoes."""
    readers = (node.op_type for node in converter.node.successors)
    return converter.kind == "dequantize" or any(each in DEQUANTIZERS for each in readers)


def _reaches_convolution(converter: Node) -> bool:
    """Return True if a convolution reads the pair, where the builder for RTX crashes."""
    readers = (reader for node in (converter, *converter.successors) for reader in node.successors)
    return any(reader.op_type in CONVOLUTIONS for reader in readers)


def _is_folded(value: Value) -> bool:
    """Return True if a value is computed from nearby constants, and hence folded."""
    pending, budget = [value], 16
    while pending and budget:
        value = pending.pop()
        budget -= 1
        if value.is_constant:
            continue
        if value.producer is None:
            return False
        pending.extend(v for v in value.producer.inputs if v is not None)
    return not pending


def _comes_from_dynamic(node: Node) -> bool:
    return "Dynamic" in node.op_type or any(
        near.op_type == "DynamicQuantizeLinear" for near in node.predecessors
    )


def invalid_scale(context: Context) -> Iterator[Hit]:
    """Scales that are zero, negative, infinite or NaN."""
    quantization = context.analysis(QuantizationMap)
    is_tensorrt = context.for_tensorrt
    for converter in quantization.scale_ranges.outside(0, float("inf")):
        scheme = converter.scheme
        assert scheme.scales is not None
        wide = scheme.scales.reshape(-1).astype("float32")
        found = _first_bad(wide, allow_negative=_may_mirror(converter, is_tensorrt))
        if found is None:
            continue
        index, kind = found
        harmless = kind == "zero" and converter.is_weight and not is_tensorrt
        yield Hit(
            converter.node,
            {
                "number": f"{wide[index]:g}",
                "index": index,
                "where": f"[{index}]" if wide.size > 1 else "",
                "scale": scheme.scale.name if scheme.scale else "",
            },
            variant="zero-weight" if harmless else "",
            severity=Severity.WARNING if harmless else None,
        )


def _may_mirror(converter: Converter, is_tensorrt: bool) -> bool:
    """Return True if a negative scale is harmless, as it only mirrors the stored numbers."""
    return converter.is_weight and (not is_tensorrt or converter.scheme.precision == "int4")


def _first_bad(scales: NDArray[Any], *, allow_negative: bool) -> tuple[int, str] | None:
    for index, number in enumerate(scales.tolist()):
        if number != number or number in (float("inf"), float("-inf")):
            return index, "bad"
        if number < 0 and not allow_negative:
            return index, "bad"
        if number == 0:
            return index, "zero"
    return None


_SMALLEST_NORMAL = {
    "float32": 1.17549435e-38,
    "float16": 6.103515625e-05,
    "bfloat16": 1.17549435e-38,
}


def subnormal_scale(context: Context) -> Iterator[Hit]:
    """Scales too small for their own type."""
    quantization = context.analysis(QuantizationMap)
    for converter in quantization.scale_ranges.below(max(_SMALLEST_NORMAL.values())):
        scheme = converter.scheme
        tensor = scheme.scale.tensor if scheme.scale is not None else None
        smallest = _SMALLEST_NORMAL.get(tensor.dtype.name) if tensor is not None else None
        if tensor is None or smallest is None or scheme.scales is None:
            continue
        wide = abs(scheme.scales.reshape(-1).astype("float64"))
        small = wide[(wide > 0) & (wide < smallest)]
        if small.size:
            yield Hit(
                converter.node,
                {
                    "number": f"{small.min():.3g}",
                    "type": tensor.dtype.name,
                    "smallest": f"{smallest:.3g}",
                    "affected": int(small.size),
                },
            )


def parameters_disagree(context: Context) -> Iterator[Hit]:
    """Scales and zero points inconsistent with each other or with their tensor."""
    quantization = context.analysis(QuantizationMap)
    is_tensorrt = context.for_tensorrt
    for converter in quantization.converters:
        scheme, shape = converter.scheme, converter.scheme.scale_shape
        zero_point, undone = scheme.zero_point, converter.undoes
        if undone is not None and undone.scheme.takes_same(scheme):
            continue  # reported at the Q
        point = zero_point.tensor if zero_point is not None else None
        if point is not None and point.shape != shape and shape is not None:
            scales, points = _volume(shape), _volume(point.shape)
            if scales != points:
                yield Hit(converter.node, {"scales": scales, "points": points}, variant="volumes")
                continue
        if converter.kind == "dequantize" and zero_point is not None:
            stored, said = scheme.dtype, _declared(zero_point)
            if stored is not said and stored is not None and said is not None:
                facts = {"type": stored.name, "zero_type": said.name}
                severity = Severity.WARNING if is_tensorrt else None
                yield Hit(converter.node, facts, variant="types", severity=severity)
                continue
        if shape and (wrong := _length_disagrees(converter)) is not None:
            yield wrong


def _declared(value: Value) -> DType | None:
    return value.tensor.dtype if value.tensor is not None else value.dtype


def _length_disagrees(converter: Converter) -> Hit | None:
    scheme, source = converter.scheme, converter.source
    shape = source.tensor.shape if source.tensor is not None else source.shape
    scales = scheme.scale_shape
    if shape is None or scales is None or len(scales) != 1 or scales[0] == 1:
        return None
    axis, rank = scheme.axis, len(shape)
    at = axis + rank if axis < 0 else axis
    if 0 <= at < rank and (shape[at] == scales[0] or not isinstance(shape[at], int)):
        return None
    if not isinstance(scales[0], int) or scheme.block:
        return None
    if not 0 <= at < rank:
        return Hit(converter.node, {"axis": axis, "rank": rank}, variant="axis")
    lengths = {"scales": scales[0], "channels": shape[at], "axis": at}
    return Hit(converter.node, lengths, variant="length")


def _volume(shape: tuple[object, ...]) -> int:
    total = 1
    for dim in shape:
        total *= dim if isinstance(dim, int) else 1
    return total


def pair_disagrees(context: Context) -> Iterator[Hit]:
    """A Q and its DQ with different parameters."""
    quantization = context.analysis(QuantizationMap)
    for dq in quantization.dequantizers:
        q = dq.undoes
        if q is None or q.scheme.same_as(dq.scheme) is not False:
            continue
        if q.scheme.dtype is not dq.scheme.dtype:
            continue  # the types disagree, which is another rule's finding
        facts = {"q": q.node.label, **_difference(q.scheme, dq.scheme)}
        yield Hit(dq.node, facts, related=(q.node,))


def _difference(left: Scheme, right: Scheme) -> dict[str, object]:
    for name, one, other in (
        ("scale", left.scales, right.scales),
        ("zero point", left.zero_points, right.zero_points),
    ):
        if one is None or other is None:
            continue
        if one.size != other.size:
            return {"what": name, "left": f"{one.size} numbers", "right": f"{other.size} numbers"}
        for a, b in zip(one.reshape(-1).tolist(), other.reshape(-1).tolist(), strict=True):
            if a != b:
                return {"what": name, "left": f"{a:g}", "right": f"{b:g}"}
    return {"what": "zero point", "left": "given", "right": "omitted"}
