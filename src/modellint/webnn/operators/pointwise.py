"""Operators that compute each element on its own."""

from __future__ import annotations

import math
from functools import reduce

import numpy as np

from modellint.model import Node
from modellint.webnn.converter import CannotError, WebConverter, handles
from modellint.webnn.graphs import MLOperand

_UNARY = {
    "Abs": "abs",
    "Ceil": "ceil",
    "Cos": "cos",
    "Erf": "erf",
    "Exp": "exp",
    "Floor": "floor",
    "HardSwish": "hardSwish",
    "Log": "log",
    "Neg": "neg",
    "Reciprocal": "reciprocal",
    "Relu": "relu",
    "Round": "roundEven",
    "Sigmoid": "sigmoid",
    "Sign": "sign",
    "Sin": "sin",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Sqrt": "sqrt",
    "Tan": "tan",
    "Tanh": "tanh",
}
_BINARY = {
    "Add": "add",
    "Sub": "sub",
    "Mul": "mul",
    "Div": "div",
    "Pow": "pow",
    "And": "logicalAnd",
    "Or": "logicalOr",
    "Xor": "logicalXor",
    "Equal": "equal",
    "Greater": "greater",
    "GreaterOrEqual": "greaterOrEqual",
    "Less": "lesser",
    "LessOrEqual": "lesserOrEqual",
}
_VARIADIC = {"Max": "max", "Min": "min", "Sum": "add", "Mean": "add"}


@handles(*_UNARY)
def _unary(c: WebConverter, node: Node) -> None:
    c.set(node.output(), c.call(_UNARY[node.op_type], input=c.input(node, 0)))


@handles("Not", "IsNaN")
def _of_a(c: WebConverter, node: Node) -> None:
    method = {"Not": "logicalNot", "IsNaN": "isNaN"}[node.op_type]
    c.set(node.output(), c.call(method, a=c.input(node, 0)))


@handles("IsInf")
def _is_inf(c: WebConverter, node: Node) -> None:
    if not node.get_int("detect_negative", 1) or not node.get_int("detect_positive", 1):
        raise CannotError("it detects infinity of only one sign")
    c.set(node.output(), c.call("isInfinite", a=c.input(node, 0)))


@handles("Identity", "Dropout")
def _identity(c: WebConverter, node: Node) -> None:
    c.set(node.output(), c.input(node, 0))
    mask = node.output(1)
    if mask is not None and c.is_used(node, 1):
        shape = list(c.input(node, 0).shape)
        one = c.constant(np.array(1, np.uint8))
        c.set(mask, c.call("expand", input=one, newShape=shape))


@handles("Elu")
def _elu(c: WebConverter, node: Node) -> None:
    alpha = node.get_float("alpha", 1.0)
    c.set(node.output(), c.call("elu", input=c.input(node, 0), alpha=alpha))


@handles("LeakyRelu")
def _leaky(c: WebConverter, node: Node) -> None:
    alpha = node.get_float("alpha", 0.01)
    c.set(node.output(), c.call("leakyRelu", input=c.input(node, 0), alpha=alpha))


@handles("HardSigmoid")
def _hard_sigmoid(c: WebConverter, node: Node) -> None:
    alpha, beta = node.get_float("alpha", 0.2), node.get_float("beta", 0.5)
    found = c.call("hardSigmoid", input=c.input(node, 0), alpha=alpha, beta=beta)
    c.set(node.output(), found)


@handles("Selu", "Celu")
def _selu(c: WebConverter, node: Node) -> None:
    x = c.input(node, 0)
    if node.op_type == "Celu":  # max(0, x) + min(0, alpha * (exp(x / alpha) - 1))
        alpha = node.get_float("alpha", 1.0) or 1.0
        small = c.with_number("mul", x, 1 / alpha)
        below = c.call("elu", input=c.with_number("min", small, 0.0), alpha=alpha)
        c.set(node.output(), c.binary("add", c.call("relu", input=x), below))
        return
    gamma = node.get_float("gamma", 1.0507009)
    found = c.call("elu", input=x, alpha=node.get_float("alpha", 1.6732632))
    c.set(node.output(), c.with_number("mul", found, gamma or 0.0))


@handles("Mish", "Swish", "com.microsoft.QuickGelu")
def _gated(c: WebConverter, node: Node) -> None:
    x = c.input(node, 0)
    if node.op_type == "Mish":
        gate = c.call("tanh", input=c.call("softplus", input=x))
    else:
        alpha = node.get_float("alpha", 1.702 if node.domain else 1.0) or 0.0
        gate = c.call("sigmoid", input=c.with_number("mul", x, alpha))
    c.set(node.output(), c.binary("mul", x, gate))


@handles("ThresholdedRelu")
def _thresholded(c: WebConverter, node: Node) -> None:
    x, alpha = c.input(node, 0), node.get_float("alpha", 1.0) or 0.0
    above = c.with_number("greater", x, alpha)
    zero = c.scalar(0.0, x)
    c.set(node.output(), c.call("where", condition=above, trueValue=x, falseValue=zero))


@handles("Sinh", "Cosh", "Asinh", "Acosh", "Atanh")
def _hyperbolic(c: WebConverter, node: Node) -> None:
    x, op = c.input(node, 0), node.op_type
    if op in ("Sinh", "Cosh"):
        up, down = c.call("exp", input=x), c.call("exp", input=c.call("neg", input=x))
        both = c.binary("sub" if op == "Sinh" else "add", up, down)
        c.set(node.output(), c.with_number("mul", both, 0.5))
        return
    if op == "Atanh":
        ratio = c.binary("div", c.with_number("add", x, 1.0), c.binary("sub", c.scalar(1.0, x), x))
        c.set(node.output(), c.with_number("mul", c.call("log", input=ratio), 0.5))
        return
    inside = c.with_number("add" if op == "Asinh" else "sub", c.binary("mul", x, x), 1.0)
    whole = c.binary("add", x, c.call("sqrt", input=inside))
    c.set(node.output(), c.call("log", input=whole))


@handles("Gelu", "com.microsoft.Gelu", "com.microsoft.FastGelu", "com.microsoft.BiasGelu")
def _gelu(c: WebConverter, node: Node) -> None:
    x = c.input(node, 0)
    bias = c.optional(node, 1)
    x = c.binary("add", x, bias) if bias is not None else x
    by_tanh = node.op_type == "FastGelu" or node.get_str("approximate", "none") == "tanh"
    c.set(node.output(), gelu(c, x, by_tanh=by_tanh))


def gelu(c: WebConverter, x: MLOperand, *, by_tanh: bool) -> MLOperand:
    """Add a Gelu, or what approximates it."""
    if not by_tanh:
        return c.call("gelu", input=x)
    cube = c.binary("mul", c.binary("mul", x, x), x)
    inner = c.binary("add", x, c.with_number("mul", cube, 0.044715))
    wave = c.call("tanh", input=c.with_number("mul", inner, math.sqrt(2 / math.pi)))
    half = c.with_number("mul", x, 0.5)
    return c.binary("mul", half, c.with_number("add", wave, 1.0))


@handles(*_BINARY)
def _binary(c: WebConverter, node: Node) -> None:
    a, b = c.input(node, 0), c.input(node, 1)
    if node.op_type == "Pow" and a.dtype != b.dtype:
        b = c.cast(b, a.dtype)
    c.set(node.output(), c.binary(_BINARY[node.op_type], a, b))


@handles(*_VARIADIC)
def _variadic(c: WebConverter, node: Node) -> None:
    given = [c.get(value) for value in node.inputs if value is not None]
    found = reduce(lambda a, b: c.binary(_VARIADIC[node.op_type], a, b), given)
    if node.op_type == "Mean":
        found = c.with_number("mul", found, 1 / len(given))
    c.set(node.output(), found)


@handles("Mod")
def _mod(c: WebConverter, node: Node) -> None:
    a, b = c.input(node, 0), c.input(node, 1)
    if not a.dtype.startswith("float") or node.get_int("fmod", 0):
        raise CannotError("it has no WebNN equivalent for integers or with fmod")
    whole = c.call("floor", input=c.binary("div", a, b))
    c.set(node.output(), c.binary("sub", a, c.binary("mul", whole, b)))


@handles("PRelu")
def _prelu(c: WebConverter, node: Node) -> None:
    c.set(node.output(), c.call("prelu", input=c.input(node, 0), slope=c.input(node, 1)))


@handles("Where")
def _where(c: WebConverter, node: Node) -> None:
    condition, yes, no = (c.input(node, at) for at in range(3))
    if yes.dtype != no.dtype:
        yes, no = c.cast(yes, "int32"), c.cast(no, "int32")
    found = c.call("where", condition=condition, trueValue=yes, falseValue=no)
    c.set(node.output(), found)


@handles("Clip")
def _clip(c: WebConverter, node: Node) -> None:
    x = c.input(node, 0)
    bounds: list[float | None] = [node.get_float("min"), node.get_float("max")]
    for at in (1, 2):
        value = node.input(at)
        if value is None:
            continue
        stored = c.known(value)
        if stored is None:
            x = c.binary("max" if at == 1 else "min", x, c.get(value))
        else:
            bounds[at - 1] = stored.reshape(-1)[0].item()
    low, high = bounds
    if low is None and high is None:
        c.set(node.output(), x)
    elif x.dtype in c.limits.types("clamp", "input") and (
        low is None or high is None or low <= high
    ):
        finite = {"minValue": _finite(low), "maxValue": _finite(high)}
        c.set(node.output(), c.call("clamp", input=x, **finite))
    else:
        c.set(node.output(), _bounded(c, x, low, high))


def _finite(number: float | None) -> float | None:
    return None if number is None or math.isinf(number) else number


def _bounded(c: WebConverter, x: MLOperand, low: float | None, high: float | None) -> MLOperand:
    x = c.with_number("max", x, low) if low is not None else x
    return c.with_number("min", x, high) if high is not None else x


@handles("Cast", "CastLike")
def _cast(c: WebConverter, node: Node) -> None:
    value, source = node.output(), c.input(node, 0)
    dtype = value.dtype if value is not None else None
    kind = c.kind(dtype.name) if dtype is not None else None
    if kind is None:
        raise CannotError(f"WebNN has no type {dtype}", "Cast to float32 or int32.")
    if dtype is not None and dtype.name == "bool":  # anything but zero is true
        source_dtype = node.inputs[0].dtype if node.inputs[0] is not None else None
        if source_dtype is None or source_dtype.name != "bool":
            zero = c.with_number("equal", source, 0)
            c.set(value, c.call("logicalNot", a=zero))
            return
    c.set(value, c.cast(source, kind))
