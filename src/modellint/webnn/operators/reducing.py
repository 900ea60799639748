"""Reductions, and what runs along an axis."""

from __future__ import annotations

from modellint.model import Node
from modellint.webnn.converter import CannotError, WebConverter, axis_of, handles
from modellint.webnn.graphs import MLOperand

_REDUCTIONS = {
    "ReduceL1": "reduceL1",
    "ReduceL2": "reduceL2",
    "ReduceLogSum": "reduceLogSum",
    "ReduceLogSumExp": "reduceLogSumExp",
    "ReduceMax": "reduceMax",
    "ReduceMean": "reduceMean",
    "ReduceMin": "reduceMin",
    "ReduceProd": "reduceProduct",
    "ReduceSum": "reduceSum",
    "ReduceSumSquare": "reduceSumSquare",
}


@handles(*_REDUCTIONS)
def _reduce(c: WebConverter, node: Node) -> None:
    x = c.input(node, 0)
    stated = node.get_ints("axes") or c.ints(node.input(1), "the axes")
    if not stated and node.get_int("noop_with_empty_axes", 0):
        c.set(node.output(), x)
        return
    axes = [axis_of(axis, x.rank) for axis in stated] if stated else list(range(x.rank))
    keeps = bool(node.get_int("keepdims", 1))
    method = _REDUCTIONS[node.op_type]
    c.set(node.output(), c.call(method, input=x, axes=axes, keepDimensions=keeps))


@handles("ArgMax", "ArgMin")
def _arg(c: WebConverter, node: Node) -> None:
    if node.get_int("select_last_index", 0):
        raise CannotError("it selects the last of several equal values")
    x, method = c.input(node, 0), node.op_type.replace("Arg", "arg")
    wanted = "int64" if "int64" in c.limits.types(method, "output") else "int32"
    found = c.call(
        method,
        input=x,
        axis=axis_of(node.get_int("axis", 0) or 0, x.rank),
        keepDimensions=bool(node.get_int("keepdims", 1)),
        outputDataType=wanted,
    )
    c.set(node.output(), found)


@handles("CumSum")
def _cumsum(c: WebConverter, node: Node) -> None:
    x = c.input(node, 0)
    (axis,) = c.ints(node.input(1), "the axis") or [0]
    found = c.call(
        "cumulativeSum",
        input=x,
        axis=axis_of(axis, x.rank),
        exclusive=bool(node.get_int("exclusive", 0)),
        reversed=bool(node.get_int("reverse", 0)),
    )
    c.set(node.output(), found)


@handles("Softmax", "LogSoftmax")
def _softmax(c: WebConverter, node: Node) -> None:
    x = c.input(node, 0)
    if c.opset(node) >= 13:
        c.set(
            node.output(),
            _softmax_along(c, node, x, axis_of(node.get_int("axis", -1) or 0, x.rank)),
        )
        return
    axis = axis_of(node.get_int("axis", 1) or 0, x.rank)
    if axis == x.rank - 1:
        c.set(node.output(), _softmax_along(c, node, x, axis))
        return
    rows = 1
    for dim in x.shape[:axis]:
        rows *= dim
    columns = 1
    for dim in x.shape[axis:]:
        columns *= dim
    flat = _softmax_along(c, node, c.reshape(x, (rows, columns)), 1)
    c.set(node.output(), c.reshape(flat, x.shape))


def _softmax_along(c: WebConverter, node: Node, x: MLOperand, axis: int) -> MLOperand:
    if node.op_type == "Softmax":
        return c.call("softmax", input=x, axis=axis)
    most = c.call("reduceMax", input=x, axes=[axis], keepDimensions=True)
    shifted = c.binary("sub", x, most)
    total = c.call("reduceLogSumExp", input=shifted, axes=[axis], keepDimensions=True)
    return c.binary("sub", shifted, total)


@handles("LpNormalization")
def _lp_norm(c: WebConverter, node: Node) -> None:
    x, p = c.input(node, 0), node.get_int("p", 2)
    axis = axis_of(node.get_int("axis", -1) or 0, x.rank)
    norm = c.call(f"reduceL{p}", input=x, axes=[axis], keepDimensions=True)
    c.set(node.output(), c.binary("div", x, norm))
