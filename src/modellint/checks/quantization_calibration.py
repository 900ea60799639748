"""Scales and ranges of calibration, the outputs that it watched, and where they are from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from modellint.analysis.quantization import Converter, QuantizationMap, root_of
from modellint.analysis.quantization.ops import MOVING
from modellint.checks.api import Context, Hit
from modellint.checks.repeats import together
from modellint.model import Model, Value


def calibration_outputs_left(context: Context) -> Iterator[Hit]:
    """Outputs that a calibrator added to observe ranges."""
    watched: dict[int, tuple[Value, set[str]]] = {}
    for output in context.model.outputs:
        node = root_of(output).producer
        source = node.input(0) if node is not None else None
        if node is not None and source is not None and node.op_type in ("ReduceMin", "ReduceMax"):
            watched.setdefault(id(source), (source, set()))[1].add(node.op_type)
    found = [value for value, ops in watched.values() if len(ops) == 2]
    if len(found) >= 2:
        yield Hit(found[0], {"watched": len(found), "names": [v.name for v in found]})


# Parameters


def uncalibrated(context: Context) -> Iterator[Hit]:
    """Activation scales that are all equal."""
    quantizers = [
        q
        for q in context.analysis(QuantizationMap).activation_quantizers
        if q.scheme.is_per_tensor and not _only_moves(q)
    ]
    scales = Counter(scale for q in quantizers if (scale := _scale(q)) is not None)
    total = sum(scales.values())
    if total < 4 and not (total and scales[1.0] == total and _weights_are_unset(context)):
        return  # so few may be equal by chance
    scale, count = scales.most_common(1)[0]
    if count == total:
        first = next(q for q in quantizers if _scale(q) == scale)
        yield Hit(first.node, {"scale": f"{scale:.4g}", "activations": total}, count=total)
    elif scales[1.0] >= max(4, total / 2):
        first = next(q for q in quantizers if _scale(q) == 1.0)
        facts = {"scale": "1", "unset": scales[1.0], "activations": total}
        yield Hit(first.node, facts, variant="default", count=scales[1.0])


def _weights_are_unset(context: Context) -> bool:
    """Return True if integer weights have the scale of an observer that has seen nothing."""
    dequantizers = context.analysis(QuantizationMap).weight_dequantizers
    schemes = [dq.scheme for dq in dequantizers if dq.scheme.precision == "int8"]
    scales = [scheme.scales for scheme in schemes]
    return bool(scales) and all(each is not None and bool((each == 1).all()) for each in scales)


def _only_moves(q: Converter) -> bool:
    producer = q.source.producer
    return producer is not None and producer.op_type in MOVING


def _scale(q: Converter) -> float | None:
    scales = q.scheme.scales
    return float(scales.flat[0]) if scales is not None and scales.size else None


_LEAST_RANGE, _LARGEST_RANGE = 1e-6, 1e6


def degenerate_range(context: Context) -> Iterator[Hit]:
    """Activations calibrated to an extremely narrow or wide range."""
    quantization = context.analysis(QuantizationMap)
    suspects = quantization.scale_ranges.outside(_LEAST_RANGE / 15, _LARGEST_RANGE / 65535)
    scales = {id(suspect.scheme.scale) for suspect in suspects}
    for q in quantization.activation_quantizers if scales else ():
        scheme = q.scheme
        if id(scheme.scale) not in scales or not scheme.is_per_tensor:
            continue
        scale = _scale(q)
        if scheme.dtype is None or not scheme.dtype.is_integer or scale is None:
            continue
        width = scale * (2**scheme.dtype.bits - 1)
        if 0 < width < _LEAST_RANGE or _LARGEST_RANGE < width < float("inf"):
            facts = {"scale": f"{scale:.3g}", "width": f"{width:.3g}"}
            yield Hit(q.node, facts, variant="wide" if width > 1 else "")


def weights_quantized_on_load(context: Context) -> Iterator[Hit]:
    """Weights stored in float and quantized by a Q."""
    quantization = context.analysis(QuantizationMap)
    found = [
        q
        for q in quantization.quantizers
        if q.is_weight and q.source.tensor is not None and q.source.tensor.dtype.is_float
    ]
    stored = sum(q.source.tensor.nbytes for q in found if q.source.tensor is not None)
    quantized = sum(
        q.scheme.dtype.nbytes(q.source.tensor.elements)
        for q in found
        if q.scheme.dtype is not None and q.source.tensor is not None
    )
    if found and stored - quantized >= context.options["min-bytes"]:
        facts = {"stored": stored, "saved": stored - quantized}
        yield from together([q.node for q in found], facts)


# Where it came from


def not_preprocessed(context: Context) -> Iterator[Hit]:
    """Quantized by ONNX Runtime without its pre-processing."""
    model = context.model
    if model.producer_name != "onnx.quantize" or "onnx.quant.pre_process" in model.metadata:
        return
    quantization = context.analysis(QuantizationMap)
    untidy = Counter(node.op_type for node in context.nodes("BatchNormalization", "Dropout"))
    if quantization.is_quantized and untidy:
        kind, count = untidy.most_common(1)[0]
        yield Hit(None, {"kind": kind, "left": count})


def calibration_unrecorded(context: Context) -> Iterator[Hit]:
    """Static quantization of unknown origin."""
    quantization = context.analysis(QuantizationMap)
    if quantization.activation_quantizers and not _records_calibration(context.model):
        yield Hit(None, {"activations": len(quantization.activation_quantizers)})


def _records_calibration(model: Model) -> bool:
    texts = [model.producer_name, *model.metadata, *model.metadata.values()]
    return any(word in text.lower() for text in texts for word in ("quant", "calib"))
