"""Convolutions, pooling and products."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from modellint.model import Node
from modellint.webnn.converter import CannotError, WebConverter
from modellint.webnn.graphs import MLOperand
from modellint.webnn.operators.movement import padded
from modellint.webnn.operators.products import last_two_swapped, matmul
from modellint.webnn.operators.tflite.values import give, handles_tflite, numbers, some_numbers

_MOST_SUMMANDS = 64
_POOLS = {
    "AVERAGE_POOL_2D": "averagePool2d",
    "L2_POOL_2D": "l2Pool2d",
    "MAX_POOL_2D": "maxPool2d",
}


def _pair(node: Node, name: str, default: int = 1) -> list[int]:
    """Return an option of the height and the width."""
    words = name.split("{}")
    return [node.get_int(f"{words[0]}{side}{words[1]}", default) or default for side in "hw"]


def _padding(
    node: Node, size: Sequence[int], window: Sequence[int], strides: Sequence[int]
) -> list[int]:
    """Return the padding of both ends of the rows and columns."""
    if node.get_str("padding") != "SAME":
        return [0, 0, 0, 0]
    found = []
    for dim, reach, stride in zip(size, window, strides, strict=True):
        total = max((-(-dim // stride) - 1) * stride + reach - dim, 0)
        found += [total // 2, total - total // 2]
    return found


@handles_tflite("CONV_2D", "DEPTHWISE_CONV_2D")
def _conv(c: WebConverter, node: Node) -> None:
    x = numbers(c, node, 0)
    is_depthwise = node.op_type == "DEPTHWISE_CONV_2D"
    # With one channel, a browser takes it for a convolution that is not depthwise.
    is_plain = not is_depthwise or x.shape[3:] == (1,)
    kernel = numbers(c, node, 1, (3, 1, 2, 0) if is_depthwise and is_plain else ())
    if x.rank != 4 or kernel.rank != 4:
        raise CannotError(f"it has {x.rank} dims")
    strides, dilations = _pair(node, "stride_{}"), _pair(node, "dilation_{}_factor")
    reach = [(size - 1) * step + 1 for size, step in zip(kernel.shape[1:3], dilations, strict=True)]
    found = c.call(
        "conv2d",
        input=x,
        filter=kernel,
        bias=some_numbers(c, node, 2),
        padding=_padding(node, x.shape[1:3], reach, strides),
        strides=strides,
        dilations=dilations,
        groups=x.shape[3] if is_depthwise else x.shape[3] // kernel.shape[3],
        inputLayout="nhwc",
        filterLayout="ohwi" if is_plain else "ihwo",
    )
    give(c, node, found)


@handles_tflite("TRANSPOSE_CONV")
def _transpose_conv(c: WebConverter, node: Node) -> None:
    x, kernel, strides = numbers(c, node, 2), numbers(c, node, 1), _pair(node, "stride_{}")
    wanted = (c.ints(node.input(0), "the shape") or [])[1:3]
    padding, extra = [], []
    for size, reach, stride, whole in zip(
        x.shape[1:3], kernel.shape[1:3], strides, wanted, strict=True
    ):
        total = (size - 1) * stride + reach - whole
        padding += [max(total, 0) // 2, max(total, 0) - max(total, 0) // 2]
        extra.append(max(-total, 0))
    found = c.call(
        "convTranspose2d",
        input=x,
        filter=kernel,
        bias=some_numbers(c, node, 3),
        padding=padding,
        strides=strides,
        outputPadding=extra if any(extra) else None,
        inputLayout="nhwc",
        filterLayout="ohwi",
    )
    give(c, node, found)


@handles_tflite(*_POOLS)
def _pool(c: WebConverter, node: Node) -> None:
    x, strides = numbers(c, node, 0), _pair(node, "stride_{}")
    window = [node.get_int(f"filter_{side}", 1) or 1 for side in ("height", "width")]
    if x.dtype in ("int8", "uint8"):
        x = c.cast(x, "float32")
    found = c.call(
        _POOLS[node.op_type],
        input=x,
        windowDimensions=window,
        padding=_padding(node, x.shape[1:3], window, strides),
        strides=strides,
        layout="nhwc",
    )
    give(c, node, found)


@handles_tflite("FULLY_CONNECTED")
def _fully_connected(c: WebConverter, node: Node) -> None:
    if node.get_str("weights_format", "DEFAULT") != "DEFAULT":
        raise CannotError("its weights are shuffled")
    x, weights = numbers(c, node, 0), numbers(c, node, 1)
    width = weights.shape[1]
    rows = c.reshape(x, (math.prod(x.shape) // width, width))
    found = c.call("gemm", a=rows, b=weights, c=some_numbers(c, node, 2), bTranspose=True)
    keeps = node.get_int("keep_num_dims", 0)
    give(c, node, c.reshape(found, (*x.shape[:-1], found.shape[1])) if keeps else found)


@handles_tflite("BATCH_MATMUL")
def _batch_matmul(c: WebConverter, node: Node) -> None:
    a, b = numbers(c, node, 0), numbers(c, node, 1)
    a = c.transpose(a, last_two_swapped(a.rank)) if node.get_int("adj_x", 0) else a
    b = c.transpose(b, last_two_swapped(b.rank)) if node.get_int("adj_y", 0) else b
    give(c, node, matmul(c, a, b))


@handles_tflite("SOFTMAX", "LOG_SOFTMAX")
def _softmax(c: WebConverter, node: Node) -> None:
    x = numbers(c, node, 0)
    axis = x.rank - 1
    if node.op_type == "SOFTMAX":
        beta = node.get_float("beta", 1.0)
        x = x if beta in (1.0, None) else c.with_number("mul", x, beta or 0.0)
        give(c, node, c.call("softmax", input=x, axis=axis))
        return
    shifted = c.binary("sub", x, c.call("reduceMax", input=x, axes=[axis], keepDimensions=True))
    total = c.call("reduceLogSumExp", input=shifted, axes=[axis], keepDimensions=True)
    give(c, node, c.binary("sub", shifted, total))


@handles_tflite("L2_NORMALIZATION")
def _l2_normalization(c: WebConverter, node: Node) -> None:
    x = numbers(c, node, 0)
    total = c.call("reduceSumSquare", input=x, axes=[x.rank - 1], keepDimensions=True)
    length = c.call("sqrt", input=c.with_number("max", total, 1e-6))
    give(c, node, c.binary("div", x, length))


@handles_tflite("LOCAL_RESPONSE_NORMALIZATION")
def _lrn(c: WebConverter, node: Node) -> None:
    x, radius = numbers(c, node, 0), node.get_int("radius", 0) or 0
    if 2 * radius + 1 > _MOST_SUMMANDS:
        raise CannotError(f"its radius is {radius}")
    edges = [*[0] * (x.rank - 1), radius]
    wide = padded(c, c.binary("mul", x, x), edges, edges)
    total: MLOperand | None = None
    for at in range(2 * radius + 1):
        starts = [*[0] * (x.rank - 1), at]
        part = c.call("slice", input=wide, starts=starts, sizes=list(x.shape))
        total = part if total is None else c.binary("add", total, part)
    assert total is not None
    scaled = c.with_number("mul", total, node.get_float("alpha", 0.0) or 0.0)
    base = c.with_number("add", scaled, node.get_float("bias", 0.0) or 0.0)
    root = c.with_number("pow", base, node.get_float("beta", 0.0) or 0.0)
    give(c, node, c.binary("div", x, root))


@handles_tflite("UNIDIRECTIONAL_SEQUENCE_LSTM")
def _lstm(c: WebConverter, node: Node) -> None:
    x = numbers(c, node, 0)
    optional = [node.input(at) for at in (9, 10, 11, 16, 17, 20, 21, 22, 23)]
    if any(value is not None for value in optional) or node.get_float("cell_clip", 0.0):
        raise CannotError("WebNN has no projection, peephole, normalization or limit of cells")
    if node.get_str("fused_activation_function") != "TANH":
        raise CannotError("its activation is not tanh")
    if not node.get_int("time_major", 0):
        x = c.transpose(x, (1, 0, 2))
    steps, batch, _ = x.shape
    weights = [numbers(c, node, at) for at in (1, 2, 3, 4)]  # gates i, f, g, o
    hidden = weights[0].shape[0]
    recurrent = [numbers(c, node, at) for at in (5, 6, 7, 8)]
    biases = [numbers(c, node, at) for at in (12, 13, 14, 15)]
    zeros = c.constant(np.zeros((1, batch, hidden), np.dtype(x.dtype)))
    found = c.calls(
        "lstm",
        input=x,
        weight=_joined(c, weights),
        recurrentWeight=_joined(c, recurrent),
        bias=_joined(c, biases),
        initialHiddenState=zeros,
        initialCellState=zeros,
        steps=steps,
        hiddenSize=hidden,
        layout="ifgo",
        returnSequence=True,
    )
    whole = c.reshape(found[2], (steps, batch, hidden))
    give(c, node, whole if node.get_int("time_major", 0) else c.transpose(whole, (1, 0, 2)))


def _joined(c: WebConverter, gates: list[MLOperand]) -> MLOperand:
    found = c.call("concat", inputs=gates, axis=0)
    return c.reshape(found, (1, *found.shape))
