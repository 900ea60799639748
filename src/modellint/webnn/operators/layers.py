"""Convolutions and pooling."""

from __future__ import annotations

from collections.abc import Sequence

from modellint.model import Node
from modellint.webnn.converter import CannotError, WebConverter, handles
from modellint.webnn.graphs import MLOperand
from modellint.webnn.operators.movement import padded


@handles("Conv")
def _conv(c: WebConverter, node: Node) -> None:
    found = convolved(c, node, c.input(node, 0), c.input(node, 1), c.optional(node, 2))
    c.set(node.output(), found)


def convolved(
    c: WebConverter, node: Node, x: MLOperand, kernel: MLOperand, bias: MLOperand | None = None
) -> MLOperand:
    """Add a convolution with a node's attributes; in one dim it is one in two."""
    flat = x.rank == 3
    x, kernel = _two_dims(c, x), _two_dims(c, kernel)
    window = list(kernel.shape[2:])
    strides, dilations = spatial(node, "strides", flat), spatial(node, "dilations", flat)
    found = c.call(
        "conv2d",
        input=x,
        filter=kernel,
        bias=bias,
        padding=padding_of(node, x.shape[2:], window, strides, dilations, flat),
        strides=strides,
        dilations=dilations,
        groups=node.get_int("group", 1),
    )
    return _one_dim(c, found, flat)


def _two_dims(c: WebConverter, x: MLOperand) -> MLOperand:
    if x.rank == 3:
        return c.reshape(x, (*x.shape[:2], 1, x.shape[2]))
    if x.rank != 4:
        raise CannotError(f"WebNN has no operator for {x.rank - 2} spatial dims")
    return x


def _one_dim(c: WebConverter, x: MLOperand, flat: bool) -> MLOperand:
    return c.reshape(x, (*x.shape[:2], x.shape[3])) if flat else x


def spatial(node: Node, name: str, flat: bool, default: int = 1) -> list[int]:
    """Return an attribute for two spatial dims."""
    stated = list(node.get_ints(name) or ())
    if not stated:
        return [default, default]
    return [default, *stated] if flat else stated


def padding_of(
    node: Node,
    size: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    flat: bool,
) -> list[int]:
    """Return the padding in WebNN's order: both ends of the rows, both ends of the columns."""
    mode = node.get_str("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        found = []
        for dim, reach, stride, dilation in zip(size, window, strides, dilations, strict=True):
            wide = (reach - 1) * dilation + 1
            total = max((-(-dim // stride) - 1) * stride + wide - dim, 0)
            less = total // 2
            found += [total - less, less] if mode == "SAME_LOWER" else [less, total - less]
        return found
    pads = list(node.get_ints("pads") or ())
    if mode == "VALID" or not pads:
        return [0, 0, 0, 0]
    if flat:
        return [0, 0, pads[0], pads[1]]
    return [pads[0], pads[2], pads[1], pads[3]]


@handles("ConvTranspose")
def _conv_transpose(c: WebConverter, node: Node) -> None:
    x, kernel, flat = c.input(node, 0), c.input(node, 1), c.input(node, 0).rank == 3
    x, kernel = _two_dims(c, x), _two_dims(c, kernel)
    strides, dilations = spatial(node, "strides", flat), spatial(node, "dilations", flat)
    extra = spatial(node, "output_padding", flat, 0)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel.shape[2:], dilations, strict=True)]
    full = [
        (n - 1) * s + r + e for n, s, r, e in zip(x.shape[2:], strides, reach, extra, strict=True)
    ]
    mode = node.get_str("auto_pad", "NOTSET")
    wanted = node.get_ints("output_shape")
    if wanted:
        wanted = (1, *wanted) if flat else tuple(wanted[-2:])
    elif mode in ("SAME_UPPER", "SAME_LOWER"):
        wanted = tuple(n * s for n, s in zip(x.shape[2:], strides, strict=True))
    if wanted:
        padding = []
        for whole, part in zip(full, wanted, strict=True):
            total = max(whole - part, 0)
            less = total // 2
            padding += [less, total - less] if mode == "SAME_UPPER" else [total - less, less]
    else:
        padding = padding_of(node, x.shape[2:], kernel.shape[2:], strides, dilations, flat)
    found = c.call(
        "convTranspose2d",
        input=x,
        filter=kernel,
        bias=c.optional(node, 2),
        padding=padding,
        strides=strides,
        dilations=dilations,
        outputPadding=extra,
        groups=node.get_int("group", 1),
    )
    c.set(node.output(), _one_dim(c, found, flat))


_MOST_SUMMANDS = 64
_POOLS = {"AveragePool": "averagePool2d", "MaxPool": "maxPool2d", "LpPool": "l2Pool2d"}
_GLOBAL = {
    "GlobalAveragePool": "reduceMean",
    "GlobalMaxPool": "reduceMax",
    "GlobalLpPool": "reduceL2",
}


@handles(*_POOLS)
def _pool(c: WebConverter, node: Node) -> None:
    if c.is_used(node, 1):
        raise CannotError("WebNN does not return the indices of maxima")
    if node.op_type == "LpPool" and node.get_int("p", 2) != 2:
        raise CannotError("WebNN only pools with p = 2")
    flat = c.input(node, 0).rank == 3
    x = _two_dims(c, c.input(node, 0))
    if x.dtype in ("int8", "uint8"):  # their maxima are the same as floats
        x = c.cast(x, "float32")
    window = spatial(node, "kernel_shape", flat)
    strides, dilations = spatial(node, "strides", flat), spatial(node, "dilations", flat)
    padding = padding_of(node, x.shape[2:], window, strides, dilations, flat)
    counts_padding = node.op_type == "AveragePool" and node.get_int("count_include_pad", 0)
    if counts_padding and any(padding):
        before, after = [0, 0, padding[0], padding[2]], [0, 0, padding[1], padding[3]]
        x, padding = padded(c, x, before, after), [0, 0, 0, 0]
    if node.get_int("ceil_mode", 0):
        padding = _reaching_further(x.shape[2:], window, strides, dilations, padding)
    found = c.call(
        _POOLS[node.op_type],
        input=x,
        windowDimensions=window,
        padding=padding,
        strides=strides,
        dilations=dilations,
    )
    c.set(node.output(), _one_dim(c, found, flat))


def _reaching_further(
    size: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    padding: Sequence[int],
) -> list[int]:
    """Return padding with which the sizes are rounded up; no window starts in it."""
    found = list(padding)
    for at, (dim, reach, stride, dilation) in enumerate(
        zip(size, window, strides, dilations, strict=True)
    ):
        wide = (reach - 1) * dilation + 1
        padded_size = dim + padding[2 * at] + padding[2 * at + 1]
        count = -(-(padded_size - wide) // stride) + 1
        if (count - 1) * stride >= dim + padding[2 * at]:
            count -= 1
        found[2 * at + 1] += max((count - 1) * stride + wide - padded_size, 0)
    return found


@handles(*_GLOBAL)
def _global(c: WebConverter, node: Node) -> None:
    if node.op_type == "GlobalLpPool" and node.get_int("p", 2) != 2:
        raise CannotError("WebNN only pools with p = 2")
    x = c.input(node, 0)
    axes = list(range(2, x.rank))
    found = c.call(_GLOBAL[node.op_type], input=x, axes=axes, keepDimensions=True)
    c.set(node.output(), found)


@handles("LRN")
def _lrn(c: WebConverter, node: Node) -> None:
    x, size = c.input(node, 0), node.get_int("size", 1) or 1
    if size > _MOST_SUMMANDS:
        raise CannotError(f"its size is {size}")
    before = (size - 1) // 2
    squares = c.binary("mul", x, x)
    wide = padded(c, squares, [0, before, 0, 0], [0, size - 1 - before, 0, 0])
    total = None
    for at in range(size):
        starts = [0, at, *[0] * (x.rank - 2)]
        part = c.call("slice", input=wide, starts=starts, sizes=list(x.shape))
        total = part if total is None else c.binary("add", total, part)
    assert total is not None
    alpha, beta = node.get_float("alpha", 1e-4) or 0.0, node.get_float("beta", 0.75) or 0.0
    scaled = c.with_number("mul", total, alpha / size)
    base = c.with_number("add", scaled, node.get_float("bias", 1.0) or 0.0)
    c.set(node.output(), c.binary("div", x, c.with_number("pow", base, beta)))
