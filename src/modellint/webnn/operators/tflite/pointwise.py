"""Operators that compute each element on its own, and reductions."""

from __future__ import annotations

from functools import reduce

import numpy as np

from modellint.model import Node
from modellint.webnn.converter import CannotError, WebConverter, axis_of
from modellint.webnn.graphs import MLOperand
from modellint.webnn.operators.pointwise import gelu
from modellint.webnn.operators.tflite.values import (
    activated,
    give,
    handles_tflite,
    numbers,
    scheme,
)

_MOST_PLACES = 1 << 20
_UNARY = {
    "ABS": "abs",
    "CEIL": "ceil",
    "COS": "cos",
    "ELU": "elu",
    "EXP": "exp",
    "FLOOR": "floor",
    "HARD_SWISH": "hardSwish",
    "LOG": "log",
    "LOGISTIC": "sigmoid",
    "NEG": "neg",
    "ROUND": "roundEven",
    "SIGN": "sign",
    "SIN": "sin",
    "SQRT": "sqrt",
    "TANH": "tanh",
}
_BINARY = {
    "ADD": "add",
    "DIV": "div",
    "EQUAL": "equal",
    "GREATER": "greater",
    "GREATER_EQUAL": "greaterOrEqual",
    "LESS": "lesser",
    "LESS_EQUAL": "lesserOrEqual",
    "LOGICAL_AND": "logicalAnd",
    "LOGICAL_OR": "logicalOr",
    "MAXIMUM": "max",
    "MINIMUM": "min",
    "MUL": "mul",
    "NOT_EQUAL": "notEqual",
    "POW": "pow",
    "SUB": "sub",
}
_REDUCTIONS = {
    "MEAN": "reduceMean",
    "REDUCE_ALL": "reduceMin",
    "REDUCE_ANY": "reduceMax",
    "REDUCE_MAX": "reduceMax",
    "REDUCE_MIN": "reduceMin",
    "REDUCE_PROD": "reduceProduct",
    "SUM": "reduceSum",
}


@handles_tflite(*_UNARY)
def _unary(c: WebConverter, node: Node) -> None:
    give(c, node, c.call(_UNARY[node.op_type], input=numbers(c, node, 0)))


@handles_tflite("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1")
def _bounded(c: WebConverter, node: Node) -> None:
    give(c, node, activated(c, numbers(c, node, 0), node.op_type))


@handles_tflite("LOGICAL_NOT")
def _not(c: WebConverter, node: Node) -> None:
    give(c, node, c.call("logicalNot", a=c.input(node, 0)))


@handles_tflite("RSQRT")
def _rsqrt(c: WebConverter, node: Node) -> None:
    give(c, node, c.call("reciprocal", input=c.call("sqrt", input=numbers(c, node, 0))))


@handles_tflite("SQUARE")
def _square(c: WebConverter, node: Node) -> None:
    x = numbers(c, node, 0)
    give(c, node, c.binary("mul", x, x))


@handles_tflite("LEAKY_RELU")
def _leaky(c: WebConverter, node: Node) -> None:
    alpha = node.get_float("alpha", 0.0)
    give(c, node, c.call("leakyRelu", input=numbers(c, node, 0), alpha=alpha))


@handles_tflite("PRELU")
def _prelu(c: WebConverter, node: Node) -> None:
    give(c, node, c.call("prelu", input=numbers(c, node, 0), slope=numbers(c, node, 1)))


@handles_tflite("GELU")
def _gelu(c: WebConverter, node: Node) -> None:
    x = numbers(c, node, 0)
    give(c, node, gelu(c, x, by_tanh=bool(node.get_int("approximate", 0))))


@handles_tflite(*_BINARY)
def _binary(c: WebConverter, node: Node) -> None:
    give(c, node, c.binary(_BINARY[node.op_type], numbers(c, node, 0), numbers(c, node, 1)))


@handles_tflite("SQUARED_DIFFERENCE")
def _squared_difference(c: WebConverter, node: Node) -> None:
    apart = c.binary("sub", numbers(c, node, 0), numbers(c, node, 1))
    give(c, node, c.binary("mul", apart, apart))


@handles_tflite("FLOOR_DIV", "FLOOR_MOD")
def _floor(c: WebConverter, node: Node) -> None:
    a, b = numbers(c, node, 0), numbers(c, node, 1)
    if not a.dtype.startswith("float"):
        raise CannotError("it has no WebNN equivalent for integers")
    whole = c.call("floor", input=c.binary("div", a, b))
    is_rest = node.op_type == "FLOOR_MOD"
    give(c, node, c.binary("sub", a, c.binary("mul", whole, b)) if is_rest else whole)


@handles_tflite("ADD_N")
def _sum(c: WebConverter, node: Node) -> None:
    parts = [numbers(c, node, at) for at in range(len(node.inputs))]
    give(c, node, reduce(lambda a, b: c.binary("add", a, b), parts))


@handles_tflite("SELECT", "SELECT_V2")
def _select(c: WebConverter, node: Node) -> None:
    condition, yes, no = c.input(node, 0), numbers(c, node, 1), numbers(c, node, 2)
    if node.op_type == "SELECT" and 0 < condition.rank < yes.rank:  # chooses rows
        condition = c.reshape(condition, (*condition.shape, *[1] * (yes.rank - condition.rank)))
    give(c, node, c.call("where", condition=condition, trueValue=yes, falseValue=no))


@handles_tflite("CAST")
def _cast(c: WebConverter, node: Node) -> None:
    x, value = c.input(node, 0), node.output()
    if value is not None and value.dtype is not None and value.dtype.name == "bool":
        zero = c.with_number("equal", x, 0)
        c.set(value, c.call("logicalNot", a=zero))
        return
    c.set(value, x)


@handles_tflite("QUANTIZE", "DEQUANTIZE", "FAKE_QUANT")
def _quantize(c: WebConverter, node: Node) -> None:
    if node.op_type == "FAKE_QUANT":
        raise CannotError("it rounds numbers without storing integers", "Convert to integers.")
    x = numbers(c, node, 0)
    if node.op_type == "QUANTIZE" and scheme(c, node.output()) is None:
        raise CannotError("the scale of its result is not stated")
    give(c, node, x)


def axes(c: WebConverter, node: Node, x: MLOperand) -> list[int]:
    """Return the axes that an operator's second input names."""
    stated = c.ints(node.input(1), "the axis")
    return sorted({axis_of(axis, x.rank) for axis in stated or ()})


@handles_tflite(*_REDUCTIONS)
def _reduce(c: WebConverter, node: Node) -> None:
    x, keeps = numbers(c, node, 0), bool(node.get_int("keep_dims", 0))
    method, along = _REDUCTIONS[node.op_type], axes(c, node, x)
    if not along:
        give(c, node, x)
        return
    is_bool = node.op_type in ("REDUCE_ALL", "REDUCE_ANY")
    x = c.cast(x, "float32") if is_bool else x
    give(c, node, c.call(method, input=x, axes=along, keepDimensions=keeps))


@handles_tflite("ARG_MAX", "ARG_MIN")
def _arg(c: WebConverter, node: Node) -> None:
    method = "argMax" if node.op_type == "ARG_MAX" else "argMin"
    x = c.input(node, 0)
    (axis,) = axes(c, node, x)
    found = c.call(method, input=x, axis=axis, keepDimensions=False, outputDataType="int32")
    c.set(node.output(), found)


@handles_tflite("CUMSUM")
def _cumsum(c: WebConverter, node: Node) -> None:
    x = numbers(c, node, 0)
    (axis,) = axes(c, node, x)
    found = c.call(
        "cumulativeSum",
        input=x,
        axis=axis,
        exclusive=bool(node.get_int("exclusive", 0)),
        reversed=bool(node.get_int("reverse", 0)),
    )
    give(c, node, found)


@handles_tflite("ONE_HOT")
def _one_hot(c: WebConverter, node: Node) -> None:
    places, (depth,) = c.cast(c.input(node, 0), "int32"), c.ints(node.input(1), "the depth") or [0]
    axis = node.get_int("axis", -1)
    axis = axis_of(-1 if axis is None else axis, places.rank + 1)
    if depth > _MOST_PLACES:
        raise CannotError(f"its depth is {depth}")
    spread = c.reshape(places, (*places.shape[:axis], 1, *places.shape[axis:]))
    counted = np.arange(depth, dtype=np.int32).reshape(
        [-1 if at == axis else 1 for at in range(places.rank + 1)]
    )
    hot = c.binary("equal", spread, c.constant(counted))
    on, off = c.input(node, 2), c.input(node, 3)
    c.set(node.output(), c.call("where", condition=hot, trueValue=on, falseValue=off))
