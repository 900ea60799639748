"""Tensors of TFLite models: integers that stand for numbers, and activations that are fused."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from modellint.formats.tflite import DOMAIN
from modellint.formats.tflite.facts import Quantization, tflite_facts
from modellint.model import Node, Value
from modellint.webnn.converter import CannotError, Handler, WebConverter, axis_of, handles
from modellint.webnn.graphs import MLOperand

_BOUNDS: dict[str, tuple[float, float | None]] = {
    "RELU": (0.0, None),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU_0_TO_1": (0.0, 1.0),
}
_WAVES = {"NONE", "TANH"}


def handles_tflite(*ops: str) -> Callable[[Handler], Handler]:
    """Register a function for operators of TFLite."""
    return handles(*(f"{DOMAIN}.{op}" for op in ops))


def scheme(c: WebConverter, value: Value | None) -> Quantization | None:
    """Return how integers stand for numbers; None if they do not."""
    found = tflite_facts(c.model).quantization.get(value) if value is not None else None
    is_quantized = found is not None and found.is_quantized
    is_integer = value is not None and value.dtype is not None and not value.dtype.is_float
    return found if is_quantized and is_integer else None


def numbers(c: WebConverter, node: Node, at: int, order: Sequence[int] = ()) -> MLOperand:
    """Return an input as the numbers that it stands for, with its dims in an order.

    The stored elements are moved: Chromium 147 fails to build it otherwise.
    """
    x, stated = c.input(node, at), scheme(c, node.input(at))
    parts = (x, *(_parameters(c, stated, x.dtype, x.rank) if stated is not None else ()))
    x, *parameters = (c.transpose(part, order) if order else part for part in parts)
    if not parameters:
        return x
    scale, zero = parameters
    return c.call("dequantizeLinear", input=x, scale=scale, zeroPoint=zero)


def some_numbers(c: WebConverter, node: Node, at: int) -> MLOperand | None:
    return numbers(c, node, at) if node.input(at) is not None else None


def elements(c: WebConverter, node: Node, method: str, at: int = 0) -> MLOperand:
    """Return an input for an operator that only moves elements: as stored, if the result may be."""
    mine, others = scheme(c, node.input(at)), scheme(c, node.output())
    if mine is None:
        return c.input(node, at)
    is_alike = others is not None and mine.parameters == others.parameters
    operand = c.input(node, at)
    taken = c.limits.types(method, "input") or c.limits.types(method, "inputs")
    return operand if is_alike and operand.dtype in taken else numbers(c, node, at)


def give(c: WebConverter, node: Node, x: MLOperand, at: int = 0) -> None:
    """Make an operand an output, after the activation that is fused, in the output's integers."""
    value = node.output(at)
    x = activated(c, x, node.get_str("fused_activation_function", "NONE") or "NONE")
    stated = scheme(c, value)
    if value is None or stated is None or not x.dtype.startswith("float"):
        c.set(value, x)
        return
    kind = c.kind(value.dtype.name) if value.dtype is not None else None
    if kind is None:
        raise CannotError(f"WebNN has no type {value.dtype}", "Quantize to 8 bits.")
    scale, zero = _parameters(c, stated, kind, x.rank)
    c.set(value, c.call("quantizeLinear", input=x, scale=scale, zeroPoint=zero))


def activated(c: WebConverter, x: MLOperand, name: str) -> MLOperand:
    """Add an activation."""
    if name == "RELU":
        return c.call("relu", input=x)
    if name in _BOUNDS:
        low, high = _BOUNDS[name]
        return c.call("clamp", input=x, minValue=low, maxValue=high)
    if name not in _WAVES:
        raise CannotError(f"WebNN has no activation {name}")
    return c.call("tanh", input=x) if name == "TANH" else x


def _parameters(
    c: WebConverter, stated: Quantization, kind: str, rank: int
) -> tuple[MLOperand, MLOperand]:
    """Return scales and zero points in the rank of what they are for."""
    if stated.block or not stated.scales:
        raise CannotError("its scales are in another tensor", "Quantize by channel.")
    zeros = stated.zero_points or (0,)
    zeros = zeros * len(stated.scales) if len(zeros) == 1 else zeros
    shape = [1] * rank
    if len(stated.scales) > 1:
        shape[axis_of(stated.axis if rank > 1 else 0, rank)] = len(stated.scales)
    # Chromium 147 fuses operators between constant scales, and fails to build some of those.
    scale = c.reshape(c.constant(np.array(stated.scales, np.float32)), shape)
    return scale, c.constant(np.array(zeros, np.dtype(kind)).reshape(shape))
