"""Normalizations."""

from __future__ import annotations

import math

from modellint.model import Node
from modellint.webnn.converter import CannotError, WebConverter, axis_of, handles
from modellint.webnn.graphs import MLOperand


@handles("BatchNormalization")
def _batch(c: WebConverter, node: Node) -> None:
    if node.get_int("training_mode", 0) or any(c.is_used(node, at) for at in range(1, 5)):
        raise CannotError("it computes statistics, as in training", "Export for inference.")
    x, scale, bias, mean, variance = (c.input(node, at) for at in range(5))
    epsilon = node.get_float("epsilon", 1e-5)
    found = c.call(
        "batchNormalization",
        input=x,
        mean=mean,
        variance=variance,
        scale=scale,
        bias=bias,
        axis=1,
        epsilon=epsilon,
    )
    c.set(node.output(), found)


@handles("InstanceNormalization")
def _instance(c: WebConverter, node: Node) -> None:
    x = c.input(node, 0)
    wide = x if x.rank == 4 else c.reshape(x, (*x.shape[:2], 1, math.prod(x.shape[2:])))
    found = c.call(
        "instanceNormalization",
        input=wide,
        scale=c.input(node, 1),
        bias=c.input(node, 2),
        epsilon=node.get_float("epsilon", 1e-5),
    )
    c.set(node.output(), c.reshape(found, x.shape))


@handles("LayerNormalization")
def _layer(c: WebConverter, node: Node) -> None:
    if c.is_used(node, 1) or c.is_used(node, 2):
        raise CannotError("WebNN does not return the mean or deviation")
    x = c.input(node, 0)
    axis = axis_of(node.get_int("axis", -1) or 0, x.rank)
    found = _normalized(c, node, x, axis, c.input(node, 1), c.optional(node, 2))
    c.set(node.output(), found)


def _normalized(
    c: WebConverter, node: Node, x: MLOperand, axis: int, scale: MLOperand, bias: MLOperand | None
) -> MLOperand:
    shape = x.shape[axis:]
    scale = c.cast(scale, x.dtype)
    bias = c.cast(bias, x.dtype) if bias is not None else None
    fits = all(each is None or each.shape == shape for each in (scale, bias))
    found = c.call(
        "layerNormalization",
        input=x,
        scale=scale if fits else None,
        bias=bias if fits else None,
        axes=list(range(axis, x.rank)),
        epsilon=node.get_float("epsilon", 1e-5),
    )
    if not fits:
        found = c.binary("mul", found, scale)
        found = c.binary("add", found, bias) if bias is not None else found
    return found


@handles("RMSNormalization", "SimplifiedLayerNormalization")
def _rms(c: WebConverter, node: Node) -> None:
    x = c.input(node, 0)
    axis = axis_of(node.get_int("axis", -1) or 0, x.rank)
    c.set(node.output(), _rooted(c, node, x, axis, c.input(node, 1)))


def _rooted(c: WebConverter, node: Node, x: MLOperand, axis: int, scale: MLOperand) -> MLOperand:
    axes = list(range(axis, x.rank))
    squares = c.call("reduceMean", input=c.binary("mul", x, x), axes=axes, keepDimensions=True)
    base = c.with_number("add", squares, node.get_float("epsilon", 1e-5) or 0.0)
    return c.binary("mul", c.binary("div", x, c.call("sqrt", input=base)), scale)


@handles("com.microsoft.SkipLayerNormalization", "com.microsoft.SkipSimplifiedLayerNormalization")
def _skip(c: WebConverter, node: Node) -> None:
    if c.is_used(node, 1) or c.is_used(node, 2):
        raise CannotError("WebNN does not return the mean or deviation")
    simple = node.op_type.startswith("SkipSimplified")
    total = c.binary("add", c.input(node, 0), c.input(node, 1))
    bias = c.optional(node, 3 if simple else 4)
    total = c.binary("add", total, bias) if bias is not None else total
    scale = c.input(node, 2)
    axis = total.rank - 1
    if simple:
        found = _rooted(c, node, total, axis, scale)
    else:
        found = _normalized(c, node, total, axis, scale, c.optional(node, 3))
    c.set(node.output(), found)
    c.set(node.output(3), total)


@handles("GroupNormalization")
def _group(c: WebConverter, node: Node) -> None:
    x, groups = c.input(node, 0), node.get_int("num_groups", 1) or 1
    n, channels = x.shape[:2]
    flat = c.reshape(x, (n, groups, math.prod(x.shape[1:]) // groups))
    plain = c.call(
        "layerNormalization", input=flat, axes=[2], epsilon=node.get_float("epsilon", 1e-5)
    )
    found = c.reshape(plain, x.shape)
    spread = (1, channels, *[1] * (x.rank - 2))
    scale, bias = c.input(node, 1), c.input(node, 2)
    if scale.shape == (channels,):
        scale, bias = c.reshape(scale, spread), c.reshape(bias, spread)
    else:
        raise CannotError("it has one scale per group", "Convert it to opset 21.")
    c.set(node.output(), c.binary("add", c.binary("mul", found, scale), bias))


@handles("MeanVarianceNormalization")
def _mvn(c: WebConverter, node: Node) -> None:
    x = c.input(node, 0)
    axes = [axis_of(axis, x.rank) for axis in node.get_ints("axes") or (0, 2, 3)]
    mean = c.call("reduceMean", input=x, axes=axes, keepDimensions=True)
    rest = c.binary("sub", x, mean)
    squares = c.call(
        "reduceMean", input=c.binary("mul", rest, rest), axes=axes, keepDimensions=True
    )
    deviation = c.with_number("add", c.call("sqrt", input=squares), 1e-9)
    c.set(node.output(), c.binary("div", rest, deviation))
