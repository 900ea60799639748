"""What a runtime refuses, or runs wrong: types, scales, zero points, axes and blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modellint.analysis.precision import precision_of
from modellint.analysis.quantization import (
    Converter,
    QuantizationMap,
    Scheme,
    WeightedOp,
)
from modellint.analysis.quantization.ops import BLOCK_WEIGHT_OPS, INTEGER_OPS, output_axis
from modellint.checks.api import Context, Hit
from modellint.checks.quantization_effect import effect
from modellint.finding import Severity
from modellint.model import DTYPES, DType, Node, Value, format_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

TENSORRT_TYPES = {"int8", "int4", "float8e4m3fn", "float4e2m1"}


def together(nodes: Sequence[Node], facts: Mapping[str, object], **more: Any) -> Iterator[Hit]:
    """One answer for a choice made once for the whole model, at its first place."""
    if nodes:
        rest = f" and {len(nodes) - 1} more" if len(nodes) > 1 else ""
        names = [node.label for node in nodes]
        yield Hit(nodes[0], {**facts, "rest": rest, "nodes": names}, count=len(nodes), **more)


def weights(quantization: QuantizationMap) -> list[Converter]:
    """The DQs of stored weights, biases left out."""
    return [
        dq
        for dq in quantization.weight_dequantizers
        if dq.scheme.dtype is None or dq.scheme.dtype.bits <= 16
    ]


def _nodes(converters: Iterable[Converter]) -> list[Node]:
    return [converter.node for converter in converters]


def _is(dtype: DType | None, *names: str) -> bool:
    return dtype is not None and dtype.name in names


def nonzero_zero_point(context: Context) -> Iterator[Hit]:
    """Signed quantization around a zero point other than zero."""
    quantization = context.analysis(QuantizationMap)
    found = [
        converter
        for converter in quantization.asymmetric
        if not _is(converter.scheme.dtype, "uint8", "uint16", "uint4", "uint2")
    ]
    if found:
        points = found[0].scheme.zero_points
        worst = (
            max((int(point) for point in points.reshape(-1)), key=abs) if points is not None else 0
        )
        yield from together(_nodes(found), {"zero_point": worst})


def uint8_activation(context: Context) -> Iterator[Hit]:
    """Activations quantized to unsigned integers."""
    quantization = context.analysis(QuantizationMap)
    if "uint8" not in quantization.by_type:
        return
    found = [
        converter
        for converter in quantization.per_activation
        if _is(converter.scheme.dtype, "uint8") and converter.scheme.zero_point is not None
    ]
    if found:
        points = found[0].scheme.zero_points
        point = int(points.reshape(-1)[0]) if points is not None and points.size else 0
        scales = found[0].scheme.scales
        top = float(scales.max()) * 127 if scales is not None and scales.size else None
        facts = {"zero_point": point, "scale_top": f"{top:.4g}" if top else "127 steps"}
        yield from together(_nodes(found), facts, variant="" if point else "at-zero")


def omitted_zero_point(context: Context) -> Iterator[Hit]:
    """Q nodes that say nothing of the type they quantize to."""
    found = [
        converter
        for converter in context.analysis(QuantizationMap).by_type.get("uint8", ())
        if converter.kind == "quantize"
        and converter.scheme.zero_point is None
        and converter.node.op_type == "QuantizeLinear"
        and not converter.node.get_int("output_dtype", 0)
    ]
    yield from together(_nodes(found), {})


def uint8_weight(context: Context) -> Iterator[Hit]:
    """Weights stored as unsigned 8-bit integers."""
    quantization = context.analysis(QuantizationMap)
    found = [
        converter
        for converter in quantization.by_type.get("uint8", ())
        if converter.kind == "dequantize" and converter.is_weight and converter.undoes is None
    ]
    yield from together(_nodes(found), {})


_MORE_INTEGER_OPS = (
    "DynamicQuantizeLinear",
    *(
        f"com.microsoft.{name}"
        for name in (
            "DynamicQuantizeLSTM", "QEmbedLayerNormalization", "QLinearAdd", "QLinearAveragePool",
            "QLinearConcat", "QLinearGlobalAveragePool", "QLinearLeakyRelu", "QLinearMul",
            "QLinearReduceMean", "QLinearSigmoid", "QLinearSoftmax", "QLinearWhere",
            "QOrderedAttention", "QOrderedGelu", "QOrderedLayerNormalization", "QOrderedMatMul",
        )
    ),
)  # fmt: skip


def integer_operator(context: Context) -> Iterator[Hit]:
    """Integer ops of ONNX Runtime's QOperator format, and dynamic quantization."""
    found = list(context.nodes(*INTEGER_OPS, *_MORE_INTEGER_OPS))
    if found:
        found.sort(key=lambda node: node.index)
        kinds = sorted({node.op_type for node in found})
        quantization = context.analysis(QuantizationMap)
        share = quantization.share(op for op in quantization.ops if op.integer)
        yield from together(found, {"kinds": kinds, "share": share})


def block_weight_operator(context: Context) -> Iterator[Hit]:
    """ONNX Runtime's own ops for weights of a few bits."""
    is_rtx = context.deployment.runtime == "tensorrt-rtx"
    found = [
        node
        for node in context.nodes(*BLOCK_WEIGHT_OPS)
        if not (is_rtx and _takes_half(context, node))
    ]
    if found:
        first = found[0]
        facts = {"bits": first.get_int("bits", 4), "block": first.get_int("block_size", 0)}
        yield from together(found, facts, variant="rtx" if is_rtx else "")


def _takes_half(context: Context, node: Node) -> bool:
    data = node.input(0)
    dtype = context.dtype(data) if data is not None else None
    return node.op_type == "MatMulNBits" and _is(dtype, "float16")


def int32_bias(context: Context) -> Iterator[Hit]:
    """Biases stored as int32 behind a DequantizeLinear."""
    yield from together(_nodes(context.analysis(QuantizationMap).by_type.get("int32", ())), {})


def unsupported_type(context: Context) -> Iterator[Hit]:
    """Quantization to a type that TensorRT has no quantization for."""
    for name, converters in context.analysis(QuantizationMap).by_type.items():
        if name not in {*TENSORRT_TYPES, "uint8", "int32", ""}:
            yield from together(_nodes(converters), {"type": name})


def wrong_channel_axis(context: Context) -> Iterator[Hit]:
    """Per-channel weights whose channels are not the op's output channels."""
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
                {"axis": axis, "right": right, "layer": op.node.label, "layer_op": op.node.op_type,
                 "shape": format_shape(shape), **effect(quantization, [op])},
                variant="ignored" if is_ignored and not op.held_back else "",
                severity=Severity.ERROR if is_ignored and not op.held_back else None,
                related=(op.node,),
            )  # fmt: skip


def _channel_axis(op: WeightedOp) -> tuple[int, int] | None:
    """The axis a weight is quantized along, and another that it should be."""
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
    """Where an axis of the stored weight is once the ops between DQ and op have moved it."""
    axis = axis + rank if axis < 0 else axis
    for node in reversed(op.weight.moves):
        if node.op_type in ("Cast", "Identity"):
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
    """Scales that the graph computes or takes as an input."""
    is_tensorrt = (context.deployment.runtime or "").startswith("tensorrt")
    quantization = context.analysis(QuantizationMap)
    for converter in quantization.converters:
        scale = converter.scheme.scale
        if scale is None or scale.is_constant or _is_folded(scale):
            continue
        maker = scale.producer
        if converter.kind == "dequantize" and converter.undoes:
            continue  # said of its Q already
        if maker is not None and _comes_from_dynamic(maker):
            continue
        source = f"{maker.op_type} '{maker.label}'" if maker is not None else "a graph input"
        facts = {"scale": scale.name, "source": source}
        yield Hit(converter.node, facts, severity=Severity.ERROR if is_tensorrt else None)


def _is_folded(value: Value) -> bool:
    """Whether a value is computed from constants alone, close by: a runtime folds it."""
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
    """Scales that are zero, negative, infinite or not numbers."""
    quantization = context.analysis(QuantizationMap)
    is_tensorrt = (context.deployment.runtime or "").startswith("tensorrt")
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
    """Whether a negative scale does no harm: it only mirrors the stored numbers."""
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
                {"number": f"{small.min():.3g}", "type": tensor.dtype.name,
                 "smallest": f"{smallest:.3g}", "affected": int(small.size)},
            )  # fmt: skip


def parameters_disagree(context: Context) -> Iterator[Hit]:
    """Scale and zero point that do not fit each other, or the tensor they belong to."""
    quantization = context.analysis(QuantizationMap)
    is_tensorrt = (context.deployment.runtime or "").startswith("tensorrt")
    for converter in quantization.converters:
        scheme, shape = converter.scheme, converter.scheme.scale_shape
        zero_point, undone = scheme.zero_point, converter.undoes
        if undone is not None and undone.scheme.takes_same(scheme):
            continue  # said of the Q, if there is anything to say
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
    return value.tensor.dtype if value.tensor is not None else value.declared_dtype


def _length_disagrees(converter: Converter) -> Hit | None:
    scheme, source = converter.scheme, converter.source
    shape = source.tensor.shape if source.tensor is not None else source.declared_shape
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
    """A Q and the DQ behind it with other parameters."""
    quantization = context.analysis(QuantizationMap)
    for dq in quantization.dequantizers:
        q = dq.undoes
        if q is None or q.scheme.same_as(dq.scheme) is not False:
            continue
        if q.scheme.dtype is not dq.scheme.dtype:
            continue  # the types disagree, which is another question
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


_SINCE = (
    ("fp4", 23, "float4e2m1 numbers"),
    ("int4", 21, "4-bit integers"),
    ("int16", 21, "16-bit integers"),
    ("fp8", 19, "float8 numbers"),
)


def opset_too_old(context: Context) -> Iterator[Hit]:
    """Features of Q/DQ that the model's operator set does not have."""
    opset = context.model.opset
    if opset is None or opset >= 23:
        return
    lenient = (context.deployment.runtime or "").startswith("tensorrt")
    for (feature, since), nodes in _too_new(context.analysis(QuantizationMap), opset).items():
        yield from together(
            nodes,
            {"feature": feature, "since": since, "opset": opset},
            severity=Severity.WARNING if lenient else None,
        )


def _too_new(quantization: QuantizationMap, opset: int) -> dict[tuple[str, int], list[Node]]:
    """What the operator set lacks, the version that brought it, and the nodes that use it."""
    found: dict[tuple[str, int], list[Node]] = {}
    for name, converters in quantization.by_type.items():
        precision = precision_of(DTYPES[name]) if name else ""
        feature = next(((w, s) for p, s, w in _SINCE if p == precision and opset < s), None)
        for converter in converters:
            needed = feature or _granularity_since(converter.scheme, opset)
            if needed is not None and not converter.node.domain:
                found.setdefault(needed, []).append(converter.node)
    return found


def _granularity_since(scheme: Scheme, opset: int) -> tuple[str, int] | None:
    if opset < 13 and scheme.granularity == "channel":
        return "Scales per channel", 13
    if opset < 21 and len(scheme.scale_shape or ()) > 1 and scheme.granularity == "block":
        return "Blocks of scales", 21
    return None


def refused_block(context: Context) -> Iterator[Hit]:
    """Blocks of scales that TensorRT has no kernels for."""
    strict = context.deployment.runtime == "tensorrt"
    odd_sizes: dict[tuple[str, int], list[Node]] = {}
    for dq in weights(context.analysis(QuantizationMap)):
        precision, tensor = dq.scheme.precision, dq.source.tensor
        if tensor is None or precision not in _BLOCKS or not tensor.shape:
            continue
        rank, size = len(tensor.shape), block_size(dq.scheme, tensor.shape)
        axis = dq.scheme.axis + rank if dq.scheme.axis < 0 else dq.scheme.axis
        if precision == "int4" and tensor.shape[-1] % 2:
            yield Hit(dq.node, {"last": tensor.shape[-1]}, variant="odd")
        elif size is not None and axis < rank - 2:
            yield Hit(dq.node, {"axis": axis, "rank": rank}, variant="axis")
        elif strict and size is not None and size not in _BLOCKS[precision]:
            odd_sizes.setdefault((precision, size), []).append(dq.node)
    for (precision, size), nodes in odd_sizes.items():
        wanted = " and ".join(map(str, _BLOCKS[precision]))
        facts = {"size": size, "wanted": wanted, "type": precision}
        yield from together(nodes, facts, severity=Severity.WARNING)


_BLOCKS = {"int4": (64, 128), "fp4": (16,)}


def block_size(scheme: Scheme, shape: tuple[int, ...]) -> int | None:
    """Elements that share a scale; None when the quantization is not blocked."""
    if scheme.granularity != "block":
        return None
    if scheme.block:
        return scheme.block
    scales = scheme.scale_shape or ()
    for dim, count in zip(shape, scales, strict=False):
        if isinstance(count, int) and count and count != dim:
            return dim // count
    return None


_NEEDS = {"fp4": (10, 0), "fp8": (8, 9), "int4": (8, 0)}


def target_cannot_run(context: Context) -> Iterator[Hit]:
    """Element types that the target's hardware does not have."""
    target = context.deployment.target
    capability = target.compute_capability if target is not None else None
    if target is None or capability is None:
        return
    quantization = context.analysis(QuantizationMap)
    is_rtx = context.deployment.runtime == "tensorrt-rtx"
    for precision, needed in _NEEDS.items():
        if capability >= needed or (precision == "int4" and not is_rtx):
            continue
        nodes = [
            converter.node
            for name, converters in quantization.by_type.items()
            if name and precision_of(DTYPES[name]) == precision
            for converter in converters
        ]
        words = {"type": precision, "needed": "{}.{}".format(*needed)}
        yield from together(nodes, {**words, "capability": "{}.{}".format(*capability)})
