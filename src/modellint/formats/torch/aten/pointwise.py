"""Operators that compute each element on its own."""

from __future__ import annotations

import math
from collections.abc import Mapping

from modellint.formats.meanings import meanings
from modellint.formats.torch.aten.arguments import AtenArguments
from modellint.formats.torch.aten.stated import Meaning, Stated, same_types
from modellint.model import DTYPES, Attribute, Value
from modellint.model.dtypes import BY_CODE


def _unary(given: AtenArguments) -> Stated | None:
    data = given.tensor("self")
    return ((data,), {}) if same_types(data, given.result) else None


def _binary(given: AtenArguments) -> Stated | None:
    """Have a meaning where no operand is converted to another type first."""
    left, right = given.tensor("self"), given.tensor("other")
    known = left if left is not None else right
    if known is None or given.number("alpha", 1) != 1 or given.argument("rounding_mode", None):
        return None
    if not same_types(left, right, given.result):
        return None
    return _both(given, left, right, known)


def _comparison(given: AtenArguments) -> Stated | None:
    left, right = given.tensor("self"), given.tensor("other")
    known = left if left is not None else right
    if known is None or not same_types(left, right):
        return None
    return _both(given, left, right, known)


def _both(
    given: AtenArguments, left: Value | None, right: Value | None, known: Value
) -> Stated | None:
    left = left if left is not None else given.scalar("self", known)
    right = right if right is not None else given.scalar("other", known)
    return ((left, right), {}) if left is not None and right is not None else None


def _power(given: AtenArguments) -> Stated | None:
    base, exponent = given.tensor("self"), given.tensor("exponent")
    if base is None or not same_types(base, exponent, given.result):
        return None
    exponent = exponent if exponent is not None else given.scalar("exponent", base)
    return ((base, exponent), {}) if exponent is not None else None


def _logical(given: AtenArguments) -> Stated | None:
    """Have a meaning for truth values; bits of numbers are other operators."""
    values = given.present("self", "other")
    dtypes = {value.declared_dtype for value in values if value is not None}
    return (values, {}) if dtypes == {DTYPES["bool"]} else None


_BOUNDS: Mapping[str, tuple[float, float]] = {"relu6": (0, 6), "hardtanh": (-1, 1)}


def _clamp(given: AtenArguments) -> Stated | None:
    names = ("min_val", "max_val") if "min_val" in given else ("min", "max")
    defaults = _BOUNDS.get(given.operator, (-math.inf, math.inf))
    attributes: dict[str, Attribute] = {}
    for ours, name, default in zip(("min", "max"), names, defaults, strict=True):
        bound = given.argument(name, None)
        bound = default if bound is None else bound
        if not isinstance(bound, (int, float)):
            return None
        if math.isfinite(bound):
            attributes[ours] = float(bound)
    data = given.tensor("self")
    return ((data,), attributes) if same_types(data, given.result) else None


def _with(ours: str, name: str, default: float) -> Meaning:
    """Return a function with one parameter."""

    def meaning(given: AtenArguments) -> Stated | None:
        number = given.number(name, default)
        return ((given.tensor("self"),), {ours: float(number)}) if number is not None else None

    return meaning


def _elu(given: AtenArguments) -> Stated | None:
    if given.number("scale", 1) != 1 or given.number("input_scale", 1) != 1:
        return None
    return _with("alpha", "alpha", 1)(given)


def _softplus(given: AtenArguments) -> Stated | None:
    return _unary(given) if given.number("beta", 1) == 1 else None


def _gelu(given: AtenArguments) -> Stated:
    mode = given.argument("approximate", "none")
    return (given.tensor("self"),), {"approximate": "tanh" if mode == "tanh" else "none"}


def _hard_sigmoid(given: AtenArguments) -> Stated:
    return (given.tensor("self"),), {"alpha": 1 / 6, "beta": 0.5}


def _where(given: AtenArguments) -> Stated | None:
    inputs = given.present("condition", "self", "other")
    return (inputs, {}) if len(inputs) == 3 and same_types(*inputs[1:]) else None


def _cast(given: AtenArguments) -> Stated | None:
    """Convert to another type; a copy, or a move to another device, keeps its own name."""
    data, dtype = given.tensor("self"), given.result.declared_dtype
    if data is None or dtype not in BY_CODE or dtype is data.declared_dtype:
        return None
    return (data,), {"to": BY_CODE.index(dtype)}


_BY_NAME: Mapping[str, Meaning] = {
    "binary": _binary,
    "cast": _cast,
    "clamp": _clamp,
    "comparison": _comparison,
    "elu": _elu,
    "gelu": _gelu,
    "hard-sigmoid": _hard_sigmoid,
    "leaky": _with("alpha", "negative_slope", 0.01),
    "logical": _logical,
    "power": _power,
    "softplus": _softplus,
    "unary": _unary,
    "where": _where,
}
MEANINGS: Mapping[str, Meaning] = meanings(
    """
binary: add sub mul div true_divide minimum maximum
cast: to _to_copy type_as
clamp: clamp clamp_min clamp_max hardtanh relu6
comparison: eq gt ge lt le
elu: elu
gelu: gelu
hard-sigmoid: hardsigmoid
leaky: leaky_relu
logical: logical_and logical_or logical_xor logical_not __and__ __or__ bitwise_and bitwise_or
    bitwise_not
power: pow
softplus: softplus
unary: abs acos acosh asin asinh atan atanh ceil cos cosh erf exp floor hardswish isnan log mish neg
    reciprocal relu round selu sigmoid sign silu sin sinh sqrt tan tanh
where: where
""",
    _BY_NAME,
)
