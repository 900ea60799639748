"""Precision of a deployment compared to the stored weights and the device."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.analysis.precision import running_precision, weight_dtype
from modellint.checks.api import Context, Hit
from modellint.model import Node
from modellint.model.features import FLOATS
from modellint.operators import Trait, of
from modellint.results.finding import Severity
from modellint.runtimes import find_runtime


def weights_wider_than_deployed(context: Context) -> Iterator[Hit]:
    """Files that store weights in more bits than the deployment uses."""
    if context.lacks([FLOATS]):
        return
    precision = context.deployment.precision
    stored = [tensor for tensor in context.model.tensors if tensor.dtype.is_float]
    now = sum(tensor.nbytes for tensor in stored)
    then = sum(weight_dtype(t.dtype, precision).nbytes(t.elements) for t in stored)
    if now - then >= context.options["min-bytes"]:
        widest = max({tensor.dtype for tensor in stored}, key=lambda dtype: dtype.bits)
        yield Hit(None, {"stored": now, "deployed": then, "dtype": str(widest)})


def precision_not_on_target(context: Context) -> Iterator[Hit]:
    """Deployments in a precision that the device does not support."""
    target, precision = context.deployment.target, context.deployment.precision
    known = target is not None and bool(target.matrix_precisions or target.vector_precisions)
    if target is None or precision is None or not known or target.supports(precision):
        return
    if next(float_layers_on_integer_device(context), None) is not None:
        return
    has = ", ".join((*target.matrix_precisions, *target.vector_precisions))
    yield Hit(None, {"precisions": has})


def float_layers_on_integer_device(context: Context) -> Iterator[Hit]:
    """Layers on floats, for a device without units for them."""
    target, precision = context.deployment.target, context.deployment.precision
    if target is None or not target.computes_only_integers or target.supports(precision or ""):
        return
    layers = list(_layers(context))
    floats = [node for node, is_float in layers if is_float]
    if floats:
        facts = {
            "layers": len(floats),
            "of": len(layers),
            "which": _which(len(floats), len(layers)),
            "stored": running_precision(context.model, context.deployment),
            "precisions": " and ".join((*target.matrix_precisions, *target.vector_precisions)),
        }
        runtime = find_runtime(context.deployment.runtime)
        if runtime is not None and runtime.quantizes:
            facts["runtime"] = runtime.title
            yield Hit(floats[0], facts, "converted", Severity.INFO, count=len(floats))
        else:
            yield Hit(floats[0], facts, count=len(floats))


def _which(some: int, of_all: int) -> str:
    if of_all == 1:
        return "The only layer"
    return f"All {of_all:,} layers" if some == of_all else f"{some:,} of {of_all:,} layers"


def _layers(context: Context) -> Iterator[tuple[Node, bool]]:
    """Iterate over layers with weights, and whether they multiply floats."""
    from modellint.analysis.quantization import QuantizationMap  # for few devices

    ops = context.analysis(QuantizationMap).ops
    if ops:
        yield from ((op.node, not op.is_quantized) for op in ops)
        return
    for node in context.nodes():  # formats that state quantization with each tensor
        row = of(node)
        weight = node.input(row.place("weight") or 1) if Trait.FLOAT_PRODUCT in row.traits else None
        if weight is not None and weight.dtype is not None:
            yield node, weight.dtype.is_float


def slower_precision(context: Context) -> Iterator[Hit]:
    """Deployments in a precision that the matrix units do not support."""
    target, precision = context.deployment.target, context.deployment.precision
    if target is None or precision is None or target.accelerates(precision):
        return
    rate = target.peak(precision)
    faster = [
        (peak, name)
        for name in ("tf32", "bf16", "fp16")
        if target.accelerates(name) and (peak := target.peak(name))
    ]
    if rate and faster and max(faster)[0] > rate:
        peak, name = max(faster)
        yield Hit(None, {"rate": rate, "faster": name, "peak": peak, "times": peak / rate})
