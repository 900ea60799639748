"""Activations that quantization has folded into the range of a quantizer."""

from __future__ import annotations

from modellint.differ.canonical import CanonicalStep
from modellint.differ.matched import Matching
from modellint.model import Node, Value, small_constant
from modellint.operators import Trait, having, of

_QUANTIZE = having(Trait.QUANTIZE)
_CLIPPING = ("Relu", "Clip")


def folded_activations(found: Matching) -> list[CanonicalStep]:
    """Return removed activations whose lower bound a quantizer of the new model has, too.

    A quantizer whose zero point is the least number of its type gives nothing below zero.
    """
    return [
        step
        for step in found.removed
        if step.op in _CLIPPING and not step.attributes.get("min") and _is_clipped(found, step)
    ]


def _is_clipped(found: Matching, step: CanonicalStep) -> bool:
    source = step.inputs[0] if step.inputs else None
    twin = found.values.get(source) if source is not None else None
    if twin is None:
        return False
    maker = twin.producer
    if maker is not None and maker.op_type.startswith("QLinear"):
        place = of(maker).place("output-zero")
        at = place if place is not None else len(maker.inputs) - 1
        return _is_least(maker.input(at))
    quantizers = [use.node for use in twin.consumers if use.node.op_type in _QUANTIZE]
    return bool(quantizers) and all(_starts_at_zero(node) for node in quantizers)


def _starts_at_zero(quantizer: Node) -> bool:
    return _is_least(quantizer.input(2))


def _is_least(zero_point: Value | None) -> bool:
    if zero_point is None:
        return True  # the default, of an unsigned type
    numbers, dtype = small_constant(zero_point), zero_point.dtype
    if numbers is None or dtype is None or not dtype.is_integer:
        return False
    least = 0 if dtype.kind == "uint" else -(1 << (int(dtype.bits) - 1))
    return bool((numbers == least).all())
