"""Common names of MIL's operations, where operators of the standard mean the same.

MIL names its inputs, and states parameters as constants. Tensors become inputs in the order below,
parameters become attributes. What the standard does differently keeps its name, in the domain
`coreml`; the catalogue knows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from modellint.formats.coreml.values import Constant
from modellint.formats.meanings import meanings
from modellint.model import DTYPES, Attribute, Value
from modellint.model.dtypes import BY_CODE
from modellint.operators import of

DOMAIN = "coreml"
LINEAR = "linear"
IN_ORDER = """
cond pred x data query key value a b y values state ref input weight kernel indices update updates
weight_ih weight_hh bias initial_h initial_c weight_ih_back weight_hh_back bias_back gamma beta mean
variance scale offset zero_point shape attn_mask quantized_data lut nonzero_data mask source_val
loop_vars
""".split()
"""Names of inputs that are tensors, in the order that roles in the catalogue have."""
_PLACES = {name: place for place, name in enumerate(IN_ORDER)}


class Argument(NamedTuple):
    """An argument of an operation, with its content if it is a parameter."""

    value: Value | None
    constant: Constant | None = None


Arguments = Mapping[str, Sequence[Argument]]


class MilOperation(NamedTuple):
    """An operation in common terms."""

    op_type: str
    domain: str
    inputs: tuple[Value | None, ...]
    attributes: Mapping[str, Attribute]


class Given:
    """Arguments of an operation by name."""

    def __init__(self, arguments: Arguments) -> None:
        self.arguments = arguments

    def value(self, name: str) -> Value | None:
        found = self.arguments.get(name, ())
        return found[0].value if found else None

    def values(self, *names: str) -> tuple[Value | None, ...]:
        """Return values in order, without those that are not given at the end."""
        values = [self.value(name) for name in names]
        while values and values[-1] is None:
            values.pop()
        return tuple(values)

    def constant(self, name: str) -> Constant | None:
        found = self.arguments.get(name, ())
        return found[0].constant if found else None

    def text(self, name: str, default: str = "") -> str:
        value = self.constant(name)
        return value if isinstance(value, str) else default

    def number(self, name: str, default: float) -> float | None:
        """Return a number; None if it is only known at run time."""
        value = self.constant(name)
        if isinstance(value, (int, float)):
            return value
        return default if name not in self.arguments else None

    def integers(self, name: str) -> tuple[int, ...] | None:
        value = self.constant(name)
        if isinstance(value, tuple):
            numbers = tuple(each for each in value if isinstance(each, int))
            return numbers if len(numbers) == len(value) else None
        return (value,) if isinstance(value, int) else None

    def flag(self, name: str, default: bool = False) -> bool | None:
        number = self.number(name, default)
        return None if number is None else bool(number)


Result = tuple[Mapping[str, Attribute], tuple[Value | None, ...]]
Meaning = Callable[[Given], Result | None]
"""Returns attributes and inputs as the standard's operator has them; None if it cannot."""


class _MilName(NamedTuple):
    op_type: str
    domain: str


def translate(kind: str, arguments: Arguments, outputs: Sequence[Value]) -> MilOperation:
    """Return an operation in common terms, from its type and its arguments."""
    given = Given(arguments)
    meaning = _MEANINGS.get(kind)
    found = meaning(given) if meaning is not None else None
    if found is not None:
        return MilOperation(common_name(kind), "", found[1], found[0])
    inputs, attributes = _native(arguments, given.values(*_FIXED.get(kind, ())))
    if kind == LINEAR:  # its weight has output channels first
        attributes = {**attributes, "transB": 1}
    return MilOperation(kind, DOMAIN, inputs, attributes)


@cache
def common_name(kind: str) -> str:
    return of(_MilName(kind, DOMAIN)).name


_RECURRENT = ("x", "weight_ih", "weight_hh", "weight_ih_back", "weight_hh_back", "bias")
_FIXED: Mapping[str, tuple[str, ...]] = dict.fromkeys(("gru", "lstm", "rnn"), _RECURRENT)
"""Inputs that have their places even if one before them is absent."""


def _native(
    arguments: Arguments, fixed: tuple[Value | None, ...]
) -> tuple[tuple[Value | None, ...], Mapping[str, Attribute]]:
    """Return the tensors in the usual order, and the parameters as attributes."""
    inputs = list(fixed)
    attributes: dict[str, Attribute] = {}
    ordered = sorted(arguments, key=lambda name: (_PLACES.get(name, len(_PLACES)), name))
    for name in ordered:
        for value, constant in arguments[name]:
            if constant is not None and (name not in _PLACES or value is None):
                attributes[name] = constant
            elif value is not None and value not in fixed:
                inputs.append(value)
    for ours, own in (("transA", "transpose_x"), ("transB", "transpose_y")):
        if own in attributes:
            attributes[ours] = int(bool(attributes[own]))
    return tuple(inputs), attributes


# Meanings


def _unary(given: Given) -> Result:
    return {}, given.values("x")


def _binary(given: Given) -> Result:
    return {}, given.values("x", "y")


def _unary_with(**defaults: float) -> Meaning:
    """Have one input, and parameters that keep their names."""

    def meaning(given: Given) -> Result | None:
        numbers = {name: given.number(name, default) for name, default in defaults.items()}
        attributes = {name: float(each) for name, each in numbers.items() if each is not None}
        return (attributes, given.values("x")) if len(attributes) == len(defaults) else None

    return meaning


def _axis(name: str = "x", default: int = -1) -> Meaning:
    def meaning(given: Given) -> Result | None:
        axis = given.number("axis", default)
        return ({"axis": int(axis)}, given.values(name)) if axis is not None else None

    return meaning


def _gelu(given: Given) -> Result | None:
    modes = {"EXACT": "none", "TANH_APPROXIMATION": "tanh"}
    mode = modes.get(given.text("mode", "EXACT"))
    return ({"approximate": mode}, given.values("x")) if mode is not None else None


def _clip(given: Given) -> Result | None:
    low, high = given.number("alpha", 0), given.number("beta", 1)
    if low is None or high is None:
        return None
    return {"min": float(low), "max": float(high)}, given.values("x")


def _to_six(given: Given) -> Result:
    return {"min": 0.0, "max": 6.0}, given.values("x")


_AUTO_PAD = {"valid": "VALID", "same": "SAME_UPPER", "same_lower": "SAME_LOWER"}


def _window(given: Given) -> dict[str, Attribute] | None:
    attributes: dict[str, Attribute] = {}
    pairs = (
        ("strides", "strides"),
        ("dilations", "dilations"),
        ("kernel_shape", "kernel_sizes"),
    )
    for ours, own in pairs:
        numbers = given.integers(own)
        if numbers:
            attributes[ours] = numbers
    kind = given.text("pad_type", "valid")
    if kind in _AUTO_PAD:
        attributes["auto_pad"] = _AUTO_PAD[kind]
        return attributes
    pads = given.integers("pad")
    if kind != "custom" or pads is None:
        return None
    attributes["pads"] = pads[0::2] + pads[1::2]
    return attributes


def _conv(given: Given) -> Result | None:
    attributes, groups = _window(given), given.number("groups", 1)
    if attributes is None or groups is None:
        return None
    return attributes | {"group": int(groups)}, given.values("x", "weight", "bias")


def _pool(given: Given) -> Result | None:
    attributes, ceil = _window(given), given.flag("ceil_mode")
    if attributes is None or ceil is None:
        return None
    attributes["ceil_mode"] = int(ceil)
    excludes = given.flag("exclude_padding_from_average")
    if "exclude_padding_from_average" in given.arguments and excludes is not None:
        attributes["count_include_pad"] = int(not excludes)
    return attributes, given.values("x")


def _product(given: Given) -> Result | None:
    transposed = given.flag("transpose_x"), given.flag("transpose_y")
    return ({}, given.values("x", "y")) if transposed == (False, False) else None


def _reduction(given: Given) -> Result | None:
    axes, keep = given.integers("axes"), given.flag("keep_dims")
    if keep is None or ("axes" in given.arguments and axes is None):
        return None
    attributes: dict[str, Attribute] = {"keepdims": int(keep)}
    return attributes | ({"axes": axes} if axes else {}), given.values("x")


def _best(given: Given) -> Result | None:
    axis, keep = given.number("axis", -1), given.flag("keep_dims")
    if axis is None or keep is None:
        return None
    return {"axis": int(axis), "keepdims": int(keep)}, given.values("x")


def _reshape(given: Given) -> Result | None:
    return ({}, given.values("x", "shape")) if given.value("shape") is not None else None


def _transpose(given: Given) -> Result | None:
    order = given.integers("perm")
    return ({"perm": order}, given.values("x")) if order is not None else None


def _axes(given: Given) -> Result | None:
    axes = given.integers("axes")
    if axes is None and "axes" in given.arguments:
        return None
    return ({"axes": axes} if axes is not None else {}), given.values("x")


def _concat(given: Given) -> Result | None:
    axis = given.number("axis", 0)
    if axis is None or given.flag("interleave"):
        return None
    return {"axis": int(axis)}, tuple(each.value for each in given.arguments.get("values", ()))


def _gather(given: Given) -> Result | None:
    axis = given.number("axis", 0)
    if axis is None or given.number("batch_dims", 0) != 0:
        return None
    return {"axis": int(axis)}, given.values("x", "indices")


def _einsum(given: Given) -> Result | None:
    equation = given.text("equation")
    values = tuple(each.value for each in given.arguments.get("values", ()))
    return ({"equation": equation}, values) if equation else None


def _cast(given: Given) -> Result | None:
    short = {"fp16": "float16", "fp32": "float32", "fp64": "float64"}
    name = given.text("dtype")
    dtype = DTYPES.get(short.get(name, name))
    return ({"to": BY_CODE.index(dtype)}, given.values("x")) if dtype in BY_CODE else None


def _select(given: Given) -> Result:
    return {}, given.values("cond", "a", "b")


def _layer_norm(given: Given) -> Result | None:
    """Have a meaning if the axes are the last ones, and there is a scale."""
    axes, epsilon = given.integers("axes"), given.number("epsilon", 1e-5)
    x = given.value("x")
    rank = len(x.declared_shape) if x is not None and x.declared_shape is not None else 0
    if not axes or epsilon is None or not rank or given.value("gamma") is None:
        return None
    last = sorted(axis % rank for axis in axes)
    if last != list(range(last[0], rank)):
        return None
    return {"axis": last[0], "epsilon": float(epsilon)}, given.values("x", "gamma", "beta")


def _normalization(*inputs: str) -> Meaning:
    def meaning(given: Given) -> Result | None:
        epsilon = given.number("epsilon", 1e-5)
        if epsilon is None or None in map(given.value, inputs):
            return None
        return {"epsilon": float(epsilon)}, given.values(*inputs)

    return meaning


def _dequantized(given: Given) -> Result | None:
    axis = given.number("axis", 0)
    if axis is None:
        return None
    return {"axis": int(axis)}, given.values("quantized_data", "scale", "zero_point")


def _dequantized_in_blocks(given: Given) -> Result | None:
    """Have a meaning if there are blocks along one axis, as the standard has them."""
    data, scale = given.value("data"), given.value("scale")
    if data is None or scale is None or data.tensor is None or scale.tensor is None:
        return None
    shape, scales = data.tensor.shape, scale.tensor.shape
    if len(shape) != len(scales) or not all(scales):
        return None
    axes = [at for at, (dim, count) in enumerate(zip(shape, scales, strict=True)) if dim != count]
    if len(axes) != 1 or shape[axes[0]] % scales[axes[0]]:
        return None
    block = shape[axes[0]] // scales[axes[0]]
    return {"axis": axes[0], "block_size": block}, given.values("data", "scale", "offset")


_MEANINGS_BY_NAME: Mapping[str, Meaning] = {
    "unary": _unary,
    "binary": _binary,
    "alpha": _unary_with(alpha=1.0),
    "hard": _unary_with(alpha=0.2, beta=0.5),
    "axis": _axis(),
    "gelu": _gelu,
    "clip": _clip,
    "to-six": _to_six,
    "conv": _conv,
    "pool": _pool,
    "product": _product,
    "reduction": _reduction,
    "best": _best,
    "reshape": _reshape,
    "transpose": _transpose,
    "axes": _axes,
    "concat": _concat,
    "gather": _gather,
    "einsum": _einsum,
    "cast": _cast,
    "select": _select,
    "layer-norm": _layer_norm,
    "batch-norm": _normalization("x", "gamma", "beta", "mean", "variance"),
    "dequantized": _dequantized,
    "blocks": _dequantized_in_blocks,
    "instance-norm": _normalization("x", "gamma", "beta"),
}
_OPERATIONS = """
unary: abs acos asin atan ceil cos cosh erf exp floor identity logical_not relu shape sigmoid sign
    silu sin sinh softplus softsign sqrt tan tanh
binary: add equal greater greater_equal less less_equal logical_and logical_or logical_xor maximum
    minimum mul pow real_div sub
alpha: elu leaky_relu thresholded_relu
hard: sigmoid_hard
axis: softmax
gelu: gelu
clip: clip
to-six: relu6
conv: conv conv_transpose
pool: avg_pool max_pool
product: matmul
reduction: reduce_l1_norm reduce_l2_norm reduce_log_sum reduce_log_sum_exp reduce_max reduce_mean
    reduce_min reduce_prod reduce_sum reduce_sum_square
best: reduce_argmax reduce_argmin
reshape: reshape
transpose: transpose
axes: expand_dims squeeze
concat: concat
gather: gather
einsum: einsum
cast: cast
select: select
layer-norm: layer_norm
batch-norm: batch_norm
instance-norm: instance_norm
dequantized: constexpr_affine_dequantize
blocks: constexpr_blockwise_shift_scale
"""


_MEANINGS: Mapping[str, Meaning] = meanings(_OPERATIONS, _MEANINGS_BY_NAME)
