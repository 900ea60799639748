"""Common names of OpenVINO's operations, where operators of the standard mean the same.

An operation becomes an operator of the standard only if inputs and attributes can be stated as the
standard does. All others keep their names, in the domain `openvino`; the catalogue knows those.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

from modellint.formats.meanings import meanings
from modellint.formats.openvino.types import element_type
from modellint.model import Attribute, Value, small_integers
from modellint.model.dtypes import BY_CODE
from modellint.operators import of

DOMAIN = "openvino"
Stated = Mapping[str, str]
Values = tuple[Value | None, ...]


class Operation(NamedTuple):
    """A layer in common terms."""

    op_type: str
    domain: str
    inputs: Values
    attributes: Mapping[str, Attribute]


class _Named(NamedTuple):
    op_type: str
    domain: str


Result = tuple[Mapping[str, Attribute], Values]
Meaning = Callable[[Stated, Values], Result | None]
"""Returns attributes and inputs as the standard's operator has them; None if it cannot."""


def translate(kind: str, stated: Stated, inputs: Values) -> Operation:
    """Return a layer in common terms, from its type and its attributes."""
    meaning = _MEANINGS.get(kind)
    found = meaning(stated, inputs) if meaning is not None else None
    if found is not None:
        return Operation(common_name(kind), "", found[1], found[0])
    return Operation(kind, DOMAIN, inputs, native_attributes(stated))


@cache
def common_name(kind: str) -> str:
    return of(_Named(kind, DOMAIN)).name


def native_attributes(stated: Stated) -> Mapping[str, Attribute]:
    """Return the attributes under their own names, and what formulas of cost need under theirs."""
    attributes: dict[str, Attribute] = {name: _typed(text) for name, text in stated.items()}
    for ours, own in (("transA", "transpose_a"), ("transB", "transpose_b")):
        if own in stated:
            attributes[ours] = int(is_true(stated[own]))
    return attributes


def _typed(text: str) -> Attribute:
    """Return a number or numbers where a text is nothing else."""
    parts = [part.strip() for part in text.split(",")]
    try:
        whole = tuple(map(_bounded_int, parts))
        return whole if len(parts) > 1 else whole[0]
    except ValueError:
        pass
    try:
        reals = tuple(map(float, parts))
        return reals if len(parts) > 1 else reals[0]
    except ValueError:
        return text


def _bounded_int(text: str) -> int:
    number = int(text)
    if abs(number) >= 1 << 63:
        raise ValueError(text)
    return number


def is_true(text: str | None) -> bool:
    return (text or "").strip().lower() in ("true", "1")


def _ints(stated: Stated, name: str) -> tuple[int, ...] | None:
    try:
        return tuple(map(_bounded_int, filter(None, stated.get(name, "").split(","))))
    except ValueError:
        return None


def _int(stated: Stated, name: str) -> int | None:
    numbers = _ints(stated, name)
    return numbers[0] if numbers and len(numbers) == 1 else None


def _float(stated: Stated, name: str, default: float) -> float | None:
    try:
        number = float(stated.get(name, default))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


# Meanings that several operations share


def _same(stated: Stated, inputs: Values) -> Result | None:
    """Keep a broadcast as NumPy's; the other kinds are not the standard's."""
    if stated.get("auto_broadcast", "numpy") not in ("numpy", "none"):
        return None
    return {}, inputs


def _renaming(**names: str) -> Meaning:
    """Return attributes under other names."""

    def meaning(stated: Stated, inputs: Values) -> Result | None:
        return {ours: _typed(stated[own]) for ours, own in names.items() if own in stated}, inputs

    return meaning


def _fixed(**attributes: Attribute) -> Meaning:
    return lambda stated, inputs: (attributes, inputs)


def _reduction(stated: Stated, inputs: Values) -> Result:
    return {"keepdims": int(is_true(stated.get("keep_dims")))}, inputs


_AUTO_PAD = {"same_upper": "SAME_UPPER", "same_lower": "SAME_LOWER", "valid": "VALID"}


def _window(stated: Stated, inputs: Values) -> tuple[dict[str, Attribute], Values] | None:
    attributes: dict[str, Attribute] = {}
    for ours, own in (
        ("strides", "strides"),
        ("dilations", "dilations"),
        ("kernel_shape", "kernel"),
    ):
        numbers = _ints(stated, own)
        if numbers:
            attributes[ours] = numbers
    auto_pad = _AUTO_PAD.get(stated.get("auto_pad", ""))
    begin, end = _ints(stated, "pads_begin"), _ints(stated, "pads_end")
    if auto_pad is not None:
        attributes["auto_pad"] = auto_pad
    elif begin is None or end is None or len(begin) != len(end):
        return None
    elif begin:
        attributes["pads"] = begin + end
    return attributes, inputs


def _pool(stated: Stated, inputs: Values) -> Result | None:
    found = _window(stated, inputs)
    rounding = stated.get("rounding_type", "floor")
    if found is None or rounding not in ("floor", "ceil"):
        return None
    attributes = found[0] | {"ceil_mode": int(rounding == "ceil")}
    if "exclude-pad" in stated:
        attributes["count_include_pad"] = int(not is_true(stated["exclude-pad"]))
    return attributes, inputs


def _transposed(stated: Stated, inputs: Values) -> Result | None:
    found = _window(stated, inputs) if len(inputs) == 2 else None
    padding = _ints(stated, "output_padding")
    if found is not None and padding and any(padding):
        return found[0] | {"output_padding": padding}, inputs
    return found


def _plain_product(stated: Stated, inputs: Values) -> Result | None:
    is_plain = not is_true(stated.get("transpose_a")) and not is_true(stated.get("transpose_b"))
    return ({}, inputs) if is_plain else None


def _cast(stated: Stated, inputs: Values) -> Result | None:
    dtype = element_type(stated.get("destination_type"))
    return ({"to": BY_CODE.index(dtype)}, inputs) if dtype in BY_CODE else None


def _along_constant(place: int) -> Meaning:
    """Read the axis from a constant input, and leave the input out."""

    def meaning(stated: Stated, inputs: Values) -> Result | None:
        axis = small_integers(inputs[place]) if place < len(inputs) else None
        if not axis or len(axis) != 1 or (_int(stated, "batch_dims") or 0) != 0:
            return None
        attributes: dict[str, Attribute] = {"axis": axis[0]}
        if stated.get("reduction", "none") != "none":
            return None
        return attributes, inputs[:place]

    return meaning


def _transpose(stated: Stated, inputs: Values) -> Result | None:
    order = small_integers(inputs[1]) if len(inputs) == 2 else None
    if order is None:
        return None
    return ({"perm": order} if order else {}), inputs[:1]


def _reshape(stated: Stated, inputs: Values) -> Result:
    return {"allowzero": int(not is_true(stated.get("special_zero")))}, inputs


def _slice(stated: Stated, inputs: Values) -> Result | None:
    if len(inputs) not in (4, 5):
        return None
    data, start, stop, step, *axes = inputs
    return {}, (data, start, stop, axes[0] if axes else None, step)


def _expand(stated: Stated, inputs: Values) -> Result | None:
    is_like = len(inputs) == 2 and stated.get("mode") in ("numpy", "bidirectional")
    return ({}, inputs) if is_like else None


def _top(stated: Stated, inputs: Values) -> Result | None:
    axis, mode, order = _int(stated, "axis"), stated.get("mode"), stated.get("sort")
    if axis is None or mode not in ("max", "min") or order not in ("value", "none"):
        return None
    return {"axis": axis, "largest": int(mode == "max"), "sorted": int(order == "value")}, inputs


def _clamp(stated: Stated, inputs: Values) -> Result | None:
    low, high = _float(stated, "min", -math.inf), _float(stated, "max", math.inf)
    attributes = {"min": low, "max": high}
    return {name: bound for name, bound in attributes.items() if bound is not None}, inputs


def _swish(stated: Stated, inputs: Values) -> Result | None:
    return ({}, inputs) if len(inputs) == 1 else None


def _gelu(stated: Stated, inputs: Values) -> Result:
    mode = "tanh" if stated.get("approximation_mode", "erf").lower() == "tanh" else "none"
    return {"approximate": mode}, inputs


def _round(stated: Stated, inputs: Values) -> Result | None:
    return ({}, inputs) if stated.get("mode", "half_to_even") == "half_to_even" else None


def _batch_norm(stated: Stated, inputs: Values) -> Result | None:
    """Have a meaning in the order of inputs that operator sets have had since the fifth."""
    epsilon = _float(stated, "epsilon", 1e-5)
    shape = inputs[0].declared_shape if inputs and inputs[0] is not None else None
    is_usual = len(inputs) == 5 and shape is not None and len(shape) > 1
    return ({"epsilon": epsilon}, inputs) if epsilon is not None and is_usual else None


def _blocks(first: str, **modes: str) -> Meaning:
    def meaning(stated: Stated, inputs: Values) -> Result | None:
        size, mode = _int(stated, "block_size"), stated.get("mode", first)
        if size is None or mode not in modes:
            return None
        return {"blocksize": size, "mode": modes[mode]}, inputs

    return meaning


def _running_sum(stated: Stated, inputs: Values) -> Result:
    return {name: int(is_true(stated.get(name))) for name in ("exclusive", "reverse")}, inputs


def _gathers_flat(stated: Stated, inputs: Values) -> Result | None:
    batch = _int(stated, "batch_dims") or 0
    return ({"batch_dims": batch}, inputs) if batch <= 1 else None


_MEANINGS_BY_NAME: Mapping[str, Meaning] = {
    "same": _same,
    "axis": _renaming(axis="axis"),
    "along-2": _along_constant(2),
    "along-3": _along_constant(3),
    "reduction": _reduction,
    "window": _window,
    "transposed": _transposed,
    "pool": _pool,
    "product": _plain_product,
    "cast": _cast,
    "transpose": _transpose,
    "reshape": _reshape,
    "slice": _slice,
    "expand": _expand,
    "top": _top,
    "clamp": _clamp,
    "gelu": _gelu,
    "swish": _swish,
    "round": _round,
    "truncated": _fixed(fmod=1),
    "floored": _fixed(fmod=0),
    "batch-norm": _batch_norm,
    "running-sum": _running_sum,
    "gathers-flat": _gathers_flat,
    "to-depth": _blocks("blocks_first", blocks_first="DCR"),
    "from-depth": _blocks("blocks_first", blocks_first="DCR", depth_first="CRD"),
    "equation": _renaming(equation="equation"),
    "alpha": _renaming(alpha="alpha"),
    "groups": _renaming(num_groups="num_groups", epsilon="epsilon"),
    "scatter": _renaming(reduction="reduction"),
    "reverse": _renaming(batch_axis="batch_axis", seq_axis="time_axis"),
}
_OPERATIONS = """
same: Abs Acos Acosh Add Asin Asinh Atan Atanh BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Ceiling
    ConvertLike Cos Cosh Divide Equal Erf Exp Floor Greater GreaterEqual HSwish Identity IsNaN Less
    LessEqual Log LogicalAnd LogicalNot LogicalOr LogicalXor Maximum Minimum Mish Multiply Negative
    NonZero Power Range ReLU Select ShapeOf Sigmoid Sign Sin Sinh SoftPlus SoftSign Sqrt Squeeze
    Subtract Tan Tanh Tile Unsqueeze
axis: Concat GatherElements LogSoftmax SoftMax
along-2: Gather
along-3: ScatterElementsUpdate
reduction: ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
window: Convolution
transposed: ConvolutionBackpropData
pool: AvgPool MaxPool
product: MatMul
cast: Convert
transpose: Transpose
reshape: Reshape
slice: Slice
expand: Broadcast
top: TopK
clamp: Clamp
gelu: Gelu
swish: Swish
round: Round
truncated: Mod
floored: FloorMod
batch-norm: BatchNormInference
running-sum: CumSum
gathers-flat: GatherND
to-depth: SpaceToDepth
from-depth: DepthToSpace
equation: Einsum
alpha: Elu
groups: GroupNormalization
scatter: ScatterNDUpdate
reverse: ReverseSequence
"""


_MEANINGS: Mapping[str, Meaning] = meanings(_OPERATIONS, _MEANINGS_BY_NAME)
