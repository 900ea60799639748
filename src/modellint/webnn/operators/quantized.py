"""Quantization."""

from __future__ import annotations

import math

import numpy as np

from modellint.model import Node
from modellint.webnn.converter import CannotError, WebConverter, axis_of, handles
from modellint.webnn.graphs import MLOperand
from modellint.webnn.operators.layers import convolved
from modellint.webnn.operators.products import matmul


@handles("DequantizeLinear", "com.microsoft.DequantizeLinear")
def _dequantize(c: WebConverter, node: Node) -> None:
    x = c.input(node, 0)
    c.set(node.output(), dequantized(c, x, c.input(node, 1), c.optional(node, 2), _axis(node)))


@handles("QuantizeLinear", "com.microsoft.QuantizeLinear")
def _quantize(c: WebConverter, node: Node) -> None:
    x, scale = c.input(node, 0), c.input(node, 1)
    zero = c.optional(node, 2)
    if zero is None:
        zero = c.constant(np.zeros(scale.shape, np.uint8))
    c.set(node.output(), quantized(c, x, scale, zero, _axis(node)))


def _axis(node: Node) -> int:
    axis = node.get_int("axis", 1)
    return 1 if axis is None else axis


def dequantized(
    c: WebConverter, x: MLOperand, scale: MLOperand, zero: MLOperand | None, axis: int = 1
) -> MLOperand:
    if zero is None:
        zero = c.constant(np.zeros(scale.shape, np.dtype(x.dtype)))
    scale, zero = _spread(c, x, scale, axis), _spread(c, x, zero, axis)
    return c.call("dequantizeLinear", input=x, scale=scale, zeroPoint=zero)


def quantized(
    c: WebConverter, x: MLOperand, scale: MLOperand, zero: MLOperand, axis: int = 1
) -> MLOperand:
    scale, zero = _spread(c, x, scale, axis), _spread(c, x, zero, axis)
    return c.call("quantizeLinear", input=x, scale=scale, zeroPoint=zero)


def _spread(c: WebConverter, x: MLOperand, part: MLOperand, axis: int) -> MLOperand:
    """Return a scale or zero point in the rank of what it is for."""
    if part.rank == x.rank and x.rank > 1:
        return part
    if part.rank > 1:
        raise CannotError(f"a scale of {part.rank} dims for {x.rank}")
    shape = [1] * x.rank
    if part.rank == 1 and part.shape[0] > 1:
        shape[axis_of(axis, x.rank)] = part.shape[0]
    return c.reshape(part, shape)


@handles("DynamicQuantizeLinear")
def _dynamic(c: WebConverter, node: Node) -> None:
    x = c.input(node, 0)
    low = c.with_number("min", c.call("reduceMin", input=x), 0.0)
    high = c.with_number("max", c.call("reduceMax", input=x), 0.0)
    scale = c.with_number("div", c.binary("sub", high, low), 255.0)
    below = c.call("neg", input=c.binary("div", low, scale))
    rounded = c.call("roundEven", input=c.call("clamp", input=below, minValue=0, maxValue=255))
    zero = c.cast(rounded, "uint8")
    c.set(node.output(0), quantized(c, x, scale, zero))
    c.set(node.output(1), scale)
    c.set(node.output(2), zero)


def _centred(
    c: WebConverter, node: Node, at: int, zero_at: int, axis: int | None = None
) -> MLOperand:
    """Return integers as floats, without their zero point."""
    found = c.cast(c.input(node, at), "float32")
    zero = c.optional(node, zero_at)
    if zero is None:
        return found
    shift = c.cast(zero, "float32")
    if axis is not None and shift.rank == 1 and shift.shape[0] > 1:
        shift = _spread(c, found, shift, axis)
    elif shift.rank:
        shift = c.reshape(shift, ()) if shift.shape == (1,) else shift
    return c.binary("sub", found, shift)


@handles("MatMulInteger")
def _matmul_integer(c: WebConverter, node: Node) -> None:
    a, b = _centred(c, node, 0, 2), _centred(c, node, 1, 3)
    c.set(node.output(), c.cast(matmul(c, a, b), "int32"))


@handles("ConvInteger")
def _conv_integer(c: WebConverter, node: Node) -> None:
    x, kernel = _centred(c, node, 0, 2), _centred(c, node, 1, 3, 0)
    c.set(node.output(), c.cast(convolved(c, node, x, kernel), "int32"))


@handles("QLinearMatMul")
def _linear_matmul(c: WebConverter, node: Node) -> None:
    given = [c.input(node, at) for at in range(8)]
    a = dequantized(c, given[0], given[1], given[2], max(given[0].rank - 2, 0))
    b = dequantized(c, given[3], given[4], given[5], given[3].rank - 1)
    c.set(node.output(), quantized(c, matmul(c, a, b), given[6], given[7]))


@handles("QLinearConv")
def _linear_conv(c: WebConverter, node: Node) -> None:
    given = [c.input(node, at) for at in range(8)]
    x = dequantized(c, given[0], given[1], given[2])
    kernel = dequantized(c, given[3], given[4], given[5], 0)
    bias = c.optional(node, 8)
    if bias is not None:
        channels = c.reshape(given[4], (math.prod(given[4].shape),))
        scale = c.binary("mul", c.reshape(given[1], (1,)), channels)
        bias = c.binary("mul", c.cast(bias, "float32"), scale)
    c.set(node.output(), quantized(c, convolved(c, node, x, kernel, bias), given[6], given[7]))


@handles("com.microsoft.QGemm")
def _linear_gemm(c: WebConverter, node: Node) -> None:
    a, b = (
        dequantized(c, c.input(node, at), c.input(node, at + 1), c.optional(node, at + 2), axis)
        for at, axis in ((0, 1), (3, 0 if node.get_int("transB", 0) else 1))
    )
    bias = c.optional(node, 6)
    if bias is not None:
        widths = c.reshape(c.input(node, 4), (math.prod(c.input(node, 4).shape),))
        step = c.binary("mul", c.reshape(c.input(node, 1), (1,)), widths)
        bias = c.binary("mul", c.cast(bias, "float32"), step)
    found = c.call(
        "gemm",
        a=a,
        b=b,
        c=bias,
        alpha=node.get_float("alpha", 1.0),
        aTranspose=bool(node.get_int("transA", 0)),
        bTranspose=bool(node.get_int("transB", 0)),
    )
    scale, zero = c.optional(node, 7), c.optional(node, 8)
    if scale is not None and zero is not None:
        found = quantized(c, found, scale, zero)
    c.set(node.output(), found)


@handles("com.microsoft.QLinearAdd", "com.microsoft.QLinearMul")
def _linear_binary(c: WebConverter, node: Node) -> None:
    given = [c.optional(node, at) for at in range(8)]
    a, a_scale, a_zero, b, b_scale, b_zero, scale, zero = given
    if a is None or b is None or a_scale is None or b_scale is None or scale is None:
        raise CannotError("an input is missing")
    left, right = dequantized(c, a, a_scale, a_zero), dequantized(c, b, b_scale, b_zero)
    found = c.binary("add" if node.op_type == "QLinearAdd" else "mul", left, right)
    zero = zero if zero is not None else c.constant(np.zeros((), np.dtype(a.dtype)))
    c.set(node.output(), quantized(c, found, scale, zero))


@handles("com.microsoft.QLinearSigmoid", "com.microsoft.QLinearLeakyRelu")
def _linear_unary(c: WebConverter, node: Node) -> None:
    x = dequantized(c, c.input(node, 0), c.input(node, 1), c.optional(node, 2))
    if node.op_type == "QLinearSigmoid":
        found = c.call("sigmoid", input=x)
    else:
        found = c.call("leakyRelu", input=x, alpha=node.get_float("alpha", 0.01))
    c.set(node.output(), quantized(c, found, c.input(node, 3), c.input(node, 4)))


@handles("com.microsoft.QLinearGlobalAveragePool")
def _linear_pool(c: WebConverter, node: Node) -> None:
    if node.get_int("channels_last", 0):
        raise CannotError("its channels come last")
    x = dequantized(c, c.input(node, 0), c.input(node, 1), c.optional(node, 2))
    found = c.call("reduceMean", input=x, axes=list(range(2, x.rank)), keepDimensions=True)
    c.set(node.output(), quantized(c, found, c.input(node, 3), c.input(node, 4)))
