"""Layers that ONNX Runtime runs in float although both of their operands are quantized.

Its integer kernels return integers, so most of them need a Q directly after them, and it matches
pairs only in certain places. All of this was observed in the graphs that its optimizer writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from modellint.analysis.chains import LONGEST
from modellint.analysis.fusion import number
from modellint.analysis.quantization.ops import SHAPE_READERS, output_axis
from modellint.analysis.quantization.scheme import original
from modellint.model import DTYPES, Node, Value, is_static
from modellint.operators import Trait, having, of

if TYPE_CHECKING:
    from modellint.analysis.quantization.parts import Converter, WeightedOp
    from modellint.analysis.quantization.scheme import Scheme

CARRIES = having(Trait.CROSSED_BY_ORT)
"""Ops that it moves a Q or DQ across, or removes if they have no effect."""
CLIPPING = having(Trait.CLIPS)
_MATMULS = having(Trait.MATMUL)
_SAME_PLACE = having(Trait.TRANSPARENT)
_INT8, _UINT8 = DTYPES["int8"], DTYPES["uint8"]


class Pairs(Protocol):
    """The parts of the quantization map that are used here."""

    @property
    def activation_dequantizers(self) -> list[Converter]: ...
    @property
    def quantized_ops(self) -> list[WeightedOp]: ...
    def converter(self, node: Node | None) -> Converter | None: ...
    def dequantizer_of(self, value: Value) -> Converter | None: ...
    def quantizers_after(self, value: Value) -> list[Converter]: ...


def held_back(quantization: Pairs, op: WeightedOp) -> str:
    """Return the reason why an op runs in float; empty if it runs in integers.

    ``kernel``: there is none. ``move``: the pair is too far away. ``parameters``: scales that are
    not constant, or along other channels. ``bias``: it has a different scale. ``output``: there is
    no Q after it.
    """
    traits = of(op.node).traits
    if Trait.TRANSPOSED_CONVOLUTION in traits or not (
        is_8_bits(op.data.scheme) and is_8_bits(op.weight.scheme)
    ):
        return "kernel"
    if blocking_move(op) is not None:
        return "move"
    if has_odd_parameters(quantization, op):
        return "parameters"
    bias = bias_of(quantization, op)
    if bias is not None and Trait.CONVOLUTION in traits and not bias_fits(op, bias.scheme):
        return "bias"  # a Gemm accepts any, and computes a different result
    needs_output = Trait.CONVOLUTION in traits or has_float_bias(quantization, op)
    if needs_output and not ends_in_quantizer(quantization, op.node.output()):
        return "output"
    return ""


def blocking_move(op: WeightedOp) -> Node | None:
    """Return the op between a DQ and its layer that a DQ is not moved across.

    Per-channel scales are not moved across anything: a Transpose is folded into a convolution's
    weight or a Gemm, but not into a MatMul.
    """
    for operand in (op.data, op.weight):
        for node in operand.moves:
            if node.op_type not in CARRIES:
                return node
    scheme = op.weight.scheme
    if op.node.op_type in _MATMULS and scheme is not None and not scheme.is_per_tensor:
        return next((n for n in op.weight.moves if n.op_type not in _SAME_PLACE), None)
    return None


def is_8_bits(scheme: Scheme | None) -> bool:
    return scheme is not None and (scheme.dtype is _INT8 or scheme.dtype is _UINT8)


def has_odd_parameters(quantization: Pairs, op: WeightedOp) -> bool:
    """Return True if scales are not constant, or along channels that no kernel takes."""
    data, weight = op.data.scheme, op.weight.scheme
    if data is None or weight is None:
        return False
    if not data.is_per_tensor and data.granularity == "channel":
        return True
    if not has_float_bias(quantization, op):
        return False
    # A float bias is quantized with both scales, which must be known and fit it.
    tensor = op.weight.root.tensor
    rank = len(tensor.shape) if tensor is not None else 0
    is_across = (
        not weight.is_per_tensor
        and weight.granularity == "channel"
        and rank > 0
        and weight.axis % rank != output_axis(op.node, rank)
    )
    return is_across or weight.scales is None or not _is_finite(data)


def _is_finite(scheme: Scheme) -> bool:
    scales = scheme.scales
    return scales is not None and bool((abs(scales) < float("inf")).all())


def bias_of(quantization: Pairs, op: WeightedOp) -> Converter | None:
    """Return the DQ of an op's bias."""
    value = original(op.node.input(2))
    return quantization.dequantizer_of(value) if value is not None else None


def has_float_bias(quantization: Pairs, op: WeightedOp) -> bool:
    return op.node.input(2) is not None and bias_of(quantization, op) is None


def bias_fits(op: WeightedOp, bias: Scheme) -> bool:
    """Return True if an int32 bias has the scale of the products it is added to, or if unknown."""
    ratio = bias_ratio(op, bias)
    return ratio is None or 0.99 < ratio < 1.01


def bias_ratio(op: WeightedOp, bias: Scheme) -> float | None:
    """Return the ratio of a bias's scale to s_x·s_w furthest from 1; None if unknown."""
    if bias.dtype is None or bias.dtype.name != "int32":
        return None
    if op.data.scheme is None or op.weight.scheme is None:
        return None
    data, weight, own = op.data.scheme.scales, op.weight.scheme.scales, bias.scales
    if data is None or weight is None or own is None or data.size != 1:
        return None
    wanted = data.reshape(-1).astype("float64") * weight.reshape(-1)
    found = own.reshape(-1).astype("float64")
    if wanted.size != found.size and 1 not in (wanted.size, found.size):
        return None
    if not (wanted > 0).all() or not (found > 0).all():
        return None  # another rule reports invalid scales
    return float(max((found / wanted).tolist(), key=_distance_from_one))


def _distance_from_one(ratio: float) -> float:
    return max(ratio, 1 / ratio) if ratio > 0 else float("inf")


def shared_int8_pairs(quantization: Pairs) -> list[Converter]:
    """Return DQs of int8 activations with several consumers.

    On x86 integer kernels need uint8 activations. ONNX Runtime converts an int8 pair with a single
    consumer to uint8, and keeps the others in float, with the layers on either side.
    """
    return [
        dq
        for dq in quantization.activation_dequantizers
        if dq.scheme.dtype is not None
        and dq.scheme.dtype.name == "int8"
        and _consumer_count(dq.output) > 1
    ]


def _consumer_count(value: Value) -> int:
    """Count the consumers of a value, without those that only read a known shape."""
    is_known = is_static(value.shape)
    return value.is_output + sum(
        not (is_known and use.node.op_type in SHAPE_READERS) for use in value.consumers
    )


def layers_around(quantization: Pairs, pairs: list[Converter]) -> list[WeightedOp]:
    """Return the layers that consume or feed one of these pairs."""
    keys = {id(pair) for pair in pairs}
    sources = {id(pair.undoes.source) for pair in pairs if pair.undoes is not None}
    found = []
    for op in quantization.quantized_ops:
        result = op.node.output()
        gives_integers = result is not None and bool(quantization.quantizers_after(result))
        if (
            id(op.data.dequantizer) in keys
            or id(result) in sources
            or (gives_integers and id(op.weight.dequantizer) in keys)
        ):
            found.append(op)
    return found


def ends_in_quantizer(quantization: Pairs, value: Value | None) -> bool:
    """Return True if a result goes only to a Q, ignoring removable ops in between."""
    for _ in range(LONGEST):
        after = value.sole_consumer if value is not None else None
        if after is None:
            return False
        quantizer = quantization.converter(after)
        if quantizer is not None:
            scheme = quantizer.scheme
            is_usable = scheme.is_per_tensor or scheme.granularity != "channel"
            return quantizer.kind == "quantize" and is_usable
        if after.op_type in CLIPPING:
            return _is_implied(quantization, after)
        if after.op_type not in CARRIES:
            return False
        value = after.output()
    return False


def needs_pair(quantization: Pairs, activation: Node) -> bool:
    """Return True if the layer before an activation is integer only with a pair in between."""
    is_dropped = activation.op_type in CLIPPING and _is_implied(quantization, activation)
    return activation.op_type != "BatchNormalization" and not is_dropped


def _is_implied(quantization: Pairs, activation: Node) -> bool:
    """Return True if a Relu or Clip only removes what the following Q cannot represent."""
    result = activation.output()
    after = result.sole_consumer if result is not None else None
    for _ in range(LONGEST):
        if after is None or after.op_type not in CARRIES:
            break
        result = after.output()
        after = result.sole_consumer if result is not None else None
    quantizer = quantization.converter(after)
    if quantizer is None or quantizer.kind != "quantize":
        return False
    if not quantizer.scheme.is_per_tensor and quantizer.scheme.granularity == "channel":
        return False
    if Trait.NEVER_NEGATIVE in of(activation).traits:
        return _starts_at_zero(quantizer) is not False
    bounds = _bounds(quantizer)
    if bounds is None:
        return True  # unknown: do not report
    low, high = limits_of(activation)
    return low <= bounds[0] and bounds[1] <= high


def _starts_at_zero(quantizer: Converter) -> bool | None:
    """Return True if a Q cannot represent negative numbers; None if unknown."""
    scheme = quantizer.scheme
    points = scheme.zero_points
    if scheme.dtype is None or (scheme.zero_point is not None and points is None):
        return None
    least = -(1 << int(scheme.dtype.bits) - 1) if scheme.dtype.kind == "int" else 0
    if points is None:
        return least == 0
    return points.item() == least if points.size == 1 else None


def _bounds(quantizer: Converter) -> tuple[float, float] | None:
    """Return the smallest and largest number that a Q can represent."""
    scheme = quantizer.scheme
    dtype, scales = scheme.dtype, scheme.scales
    if dtype is None or not dtype.is_integer or scales is None or scales.size != 1:
        return None
    points = scheme.zero_points
    if scheme.zero_point is not None and (points is None or points.size != 1):
        return None
    point, scale = float(points.item()) if points is not None else 0.0, float(scales.item())
    if not 0 < scale < float("inf"):
        return None
    least = -(2.0 ** (dtype.bits - 1)) if dtype.kind == "int" else 0.0
    return (least - point) * scale, (least + 2.0**dtype.bits - 1 - point) * scale


def limits_of(activation: Node) -> tuple[float, float]:
    """Return the bounds between which a Relu or Clip returns its input."""
    if Trait.NEVER_NEGATIVE in of(activation).traits:
        return 0.0, float("inf")
    low, high = (number(activation.input(index)) for index in (1, 2))
    low = low if low is not None else activation.get_float("min", float("-inf"))
    high = high if high is not None else activation.get_float("max", float("inf"))
    return (
        low if low is not None else float("-inf"),
        high if high is not None else float("inf"),
    )
