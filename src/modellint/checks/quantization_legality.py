"""Types, scales, zero points, axes and blocks that a runtime refuses or runs incorrectly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modellint.analysis.precision import precision_of
from modellint.analysis.quantization import (
    Converter,
    QuantizationMap,
    Scheme,
)
from modellint.analysis.quantization.ops import INTEGER_OPS, TENSORRT_TYPES
from modellint.checks.api import Context, Hit
from modellint.checks.repeats import together
from modellint.formats.onnx.facts import onnx_facts
from modellint.model import DTYPES, DType, Node
from modellint.operators import Trait, names
from modellint.results.finding import Severity


def weights(quantization: QuantizationMap) -> list[Converter]:
    """Return the DQs of stored weights, without biases."""
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
    """Signed quantization with a nonzero zero point."""
    quantization = context.analysis(QuantizationMap)
    found = quantization.shifted
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
        point = int(points.reshape(-1)[0]) if points is not None else 0
        scales = found[0].scheme.scales
        top = float(scales.max()) * 127 if scales is not None else None
        facts = {"zero_point": point, "scale_top": f"{top:.4g}" if top else "127 steps"}
        yield from together(_nodes(found), facts, variant="" if point else "at-zero")


def omitted_zero_point(context: Context) -> Iterator[Hit]:
    """Q nodes that do not state the type they quantize to."""
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


def integer_operator(context: Context) -> Iterator[Hit]:
    """Integer ops of ONNX Runtime's QOperator format, and dynamic quantization."""
    found = list(context.nodes(*INTEGER_OPS, *names(Trait.INTEGER_KERNEL)))
    if found:
        found.sort(key=lambda node: node.index)
        kinds = sorted({node.op_type for node in found})
        quantization = context.analysis(QuantizationMap)
        share = quantization.share(op for op in quantization.ops if op.integer)
        yield from together(found, {"kinds": kinds, "share": share})


def int32_bias(context: Context) -> Iterator[Hit]:
    """Biases stored as int32 with a DequantizeLinear."""
    yield from together(_nodes(context.analysis(QuantizationMap).by_type.get("int32", ())), {})


def unsupported_type(context: Context) -> Iterator[Hit]:
    """Quantization to a type that TensorRT does not support."""
    for name, converters in context.analysis(QuantizationMap).by_type.items():
        if name not in {*TENSORRT_TYPES, "uint8", "int32", ""}:
            yield from together(_nodes(converters), {"type": name})


_SINCE = (
    ("fp6", 28, "float6 numbers"),
    ("int2", 25, "2-bit integers"),
    ("fp4", 23, "float4e2m1 numbers"),
    ("int4", 21, "4-bit integers"),
    ("int16", 21, "16-bit integers"),
    ("fp8", 19, "float8 numbers"),
)


def opset_too_old(context: Context) -> Iterator[Hit]:
    """Features of Q/DQ that the model's operator set lacks."""
    if context.lacks(QuantizationMap.starts_from):
        return
    opset = onnx_facts(context.model).opset
    if opset is None or opset >= _SINCE[0][1]:
        return
    lenient = context.for_tensorrt
    for (feature, since), nodes in _too_new(context.analysis(QuantizationMap), opset).items():
        yield from together(
            nodes,
            {"feature": feature, "since": since, "opset": opset},
            severity=Severity.WARNING if lenient else None,
        )


def _too_new(quantization: QuantizationMap, opset: int) -> dict[tuple[str, int], list[Node]]:
    """Return nodes by feature that the operator set lacks and the version that introduced it."""
    found: dict[tuple[str, int], list[Node]] = {}
    for name, converters in quantization.by_type.items():
        precision = precision_of(DTYPES[name]) if name else ""
        feature = next(((w, s) for p, s, w in _SINCE if p == precision and opset < s), None)
        for converter in converters:
            needed = feature or _scale_since(converter.scheme, opset)
            if needed is not None and not converter.node.domain:
                found.setdefault(needed, []).append(converter.node)
    return found


def _scale_since(scheme: Scheme, opset: int) -> tuple[str, int] | None:
    if opset < 13 and scheme.granularity == "channel":
        return "Scales per channel", 13
    if opset < 21 and len(scheme.scale_shape or ()) > 1 and scheme.granularity == "block":
        return "Blocks of scales", 21
    tensor = scheme.scale.tensor if scheme.scale is not None else None
    if opset < 24 and tensor is not None and tensor.dtype.name == "float8e8m0":
        return "Scales in float8e8m0", 24
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
        elif strict and size is not None and size not in _taken_blocks(dq.scheme, precision):
            odd_sizes.setdefault((precision, size), []).append(dq.node)
    for (precision, size), nodes in odd_sizes.items():
        wanted = " and ".join(map(str, _BLOCKS[precision]))
        facts = {"size": size, "wanted": wanted, "type": precision}
        yield from together(nodes, facts, severity=Severity.WARNING)


_BLOCKS = {"int4": (64, 128), "fp4": (16,)}
_MX_BLOCKS = (32,)
"""Blocks of the microscaling formats, whose scales are powers of two."""


def _taken_blocks(scheme: Scheme, precision: str) -> tuple[int, ...]:
    is_power = scheme.scale is not None and scheme.scale.dtype == DTYPES["float8e8m0"]
    return _MX_BLOCKS if is_power else _BLOCKS[precision]


def block_size(scheme: Scheme, shape: tuple[int, ...]) -> int | None:
    """Return the number of elements per scale; None if the quantization is not blocked."""
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
    """Element types that the target's hardware does not support."""
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


def slow_type(context: Context) -> Iterator[Hit]:
    """Layers quantized to a type that is slower on the target than 16 bits."""
    target = context.deployment.target
    if target is None:
        return
    wide = max((target.peak(name) or 0.0, name) for name in ("bf16", "fp16"))
    slow = {name for name, rate in target.rates.items() if rate < wide[0]} & {"int8", "fp8", "fp4"}
    for precision in sorted(slow):
        ops = [
            op
            for op in context.analysis(QuantizationMap).quantized_ops
            if op.precision == precision
        ]
        facts = {
            "type": precision,
            "wide": wide[1],
            "factor": wide[0] / (target.peak(precision) or 1),
        }
        yield from together([op.node for op in ops], facts)
