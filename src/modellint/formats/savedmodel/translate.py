"""Common names of TensorFlow's operators, where operators of the standard mean the same.

An operator becomes one of the standard only if inputs and attributes can be stated as the standard
does, whatever the layout. All others keep their names, in the domain `tensorflow`, among them those
whose channels come last; the catalogue knows those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from modellint.formats.meanings import meanings
from modellint.formats.savedmodel.attributes import StatedAttributes
from modellint.model import Attribute, Value, small_integers
from modellint.model.dtypes import BY_CODE
from modellint.operators import Trait, names, of

DOMAIN = "tensorflow"
LAST = (1 << 63) - 1
_FLAGS = {"transA", "transB"}
_PRODUCT_WITH_FLAGS = names(Trait.GEMM)[0]
Values = Sequence[Value | None]


class TensorFlowOperation(NamedTuple):
    """A node in common terms."""

    op_type: str
    domain: str
    inputs: Values
    attributes: Mapping[str, Attribute]


class _CommonName(NamedTuple):
    op_type: str
    domain: str


Stated = tuple[Mapping[str, Attribute], Values]
Meaning = Callable[[StatedAttributes, Values], "Stated | None"]
"""Returns attributes and inputs as the standard's operator has them; None if it cannot."""


def translate(op: str, stated: StatedAttributes, inputs: Values) -> TensorFlowOperation:
    """Return a node in common terms, from its operator and attributes."""
    meaning = _MEANINGS.get(op)
    found = meaning(stated, inputs) if meaning is not None else None
    if found is not None:
        attributes, inputs = found
        op_type = _PRODUCT_WITH_FLAGS if _FLAGS & attributes.keys() else common_name(op)
        return TensorFlowOperation(op_type, "", inputs, attributes)
    return TensorFlowOperation(op, DOMAIN, inputs, native_attributes(stated))


@cache
def common_name(op: str) -> str:
    return of(_CommonName(op, DOMAIN)).name


def native_attributes(stated: StatedAttributes) -> dict[str, Attribute]:
    """Return the attributes under their own names, and what formulas of cost need under theirs."""
    attributes = stated.plain()
    window = stated.integers("ksize")
    return attributes | {"kernel_shape": window} if window else attributes


def _at(inputs: Values, place: int) -> tuple[int, ...] | None:
    return small_integers(inputs[place]) if -len(inputs) <= place < len(inputs) else None


def _same(stated: StatedAttributes, inputs: Values) -> Stated:
    return {}, inputs


def _fixed(**attributes: Attribute) -> Meaning:
    return lambda stated, inputs: (attributes, inputs)


def _bias(stated: StatedAttributes, inputs: Values) -> Stated | None:
    return ({}, inputs) if stated.text("data_format", "NHWC") == "NHWC" else None


def _floored(stated: StatedAttributes, inputs: Values) -> Stated | None:
    dtype = stated.dtype("T")
    return ({"fmod": 0}, inputs) if dtype is not None and dtype.is_integer else None


def _alpha(default: float) -> Meaning:
    return lambda stated, inputs: ({"alpha": stated.real("alpha", default)}, inputs)


def _product(stated: StatedAttributes, inputs: Values) -> Stated | None:
    """Have a product of matrices, with flags if one of them is transposed."""
    flags: dict[str, Attribute] = {}
    for ours, own in (("transA", "transpose_a"), ("transB", "transpose_b")):
        if stated.flag(own):
            flags[ours] = 1
    return flags, inputs


def _batch_product(stated: StatedAttributes, inputs: Values) -> Stated | None:
    return ({}, inputs) if not stated.flag("adj_x") and not stated.flag("adj_y") else None


def _equation(stated: StatedAttributes, inputs: Values) -> Stated | None:
    return {"equation": stated.text("equation")}, inputs


def _reshape(stated: StatedAttributes, inputs: Values) -> Stated:
    return {"allowzero": 1}, inputs


def _squeeze(stated: StatedAttributes, inputs: Values) -> Stated:
    axes = stated.integers("squeeze_dims")
    return ({"axes": axes} if axes else {}), inputs


def _unsqueeze(stated: StatedAttributes, inputs: Values) -> Stated | None:
    axes = _at(inputs, 1)
    return ({"axes": axes}, inputs[:1]) if axes else None


def _transpose(stated: StatedAttributes, inputs: Values) -> Stated | None:
    order = _at(inputs, 1)
    return ({"perm": order} if order else {}, inputs[:1]) if order is not None else None


def _joined(stated: StatedAttributes, inputs: Values) -> Stated | None:
    axis = _at(inputs, -1)
    return ({"axis": axis[0]}, inputs[:-1]) if axis else None


def _joined_first(stated: StatedAttributes, inputs: Values) -> Stated | None:
    axis = _at(inputs, 0)
    return ({"axis": axis[0]}, inputs[1:]) if axis else None


def _gathered(stated: StatedAttributes, inputs: Values) -> Stated | None:
    axis = _at(inputs, 2) if len(inputs) > 2 else (0,)
    if not axis or stated.integer("batch_dims"):
        return None
    return {"axis": axis[0]}, inputs[:2]


def _split(stated: StatedAttributes, inputs: Values) -> Stated | None:
    axis, count = _at(inputs, 0), stated.integer("num_split")
    return ({"axis": axis[0], "num_outputs": count}, inputs[1:]) if axis and count else None


def _split_sizes(stated: StatedAttributes, inputs: Values) -> Stated | None:
    axis, sizes = _at(inputs, 2), _at(inputs, 1)
    is_known = axis and sizes is not None and -1 not in sizes
    return ({"axis": axis[0]}, inputs[:2]) if axis and is_known else None


def _cast(stated: StatedAttributes, inputs: Values) -> Stated | None:
    dtype = stated.dtype("DstT")
    return ({"to": BY_CODE.index(dtype)}, inputs) if dtype in BY_CODE else None


def _reduction(stated: StatedAttributes, inputs: Values) -> Stated | None:
    axes = _at(inputs, 1)
    attributes: dict[str, Attribute] = {"keepdims": int(stated.flag("keep_dims"))}
    if axes == ():
        attributes["noop_with_empty_axes"] = 1
    return attributes, inputs


def _extreme(stated: StatedAttributes, inputs: Values) -> Stated | None:
    axis = _at(inputs, 1)
    return ({"axis": axis[0], "keepdims": 0}, inputs[:1]) if axis else None


def _slice(stated: StatedAttributes, inputs: Values) -> Stated | None:
    starts, sizes = _at(inputs, 1), _at(inputs, 2)
    if not starts or not sizes or len(starts) != len(sizes):
        return None
    ends = tuple(
        LAST if size < 0 else start + size for start, size in zip(starts, sizes, strict=True)
    )
    return {"starts": starts, "ends": ends, "axes": tuple(range(len(starts)))}, inputs[:1]


def _running_sum(stated: StatedAttributes, inputs: Values) -> Stated:
    return {name: int(stated.flag(name)) for name in ("exclusive", "reverse")}, inputs


def _choice(stated: StatedAttributes, inputs: Values) -> Stated | None:
    dtype = inputs[0].declared_dtype if inputs and inputs[0] is not None else None
    return ({}, inputs) if dtype is not None and dtype.kind == "bool" else None


_MEANINGS_BY_NAME: Mapping[str, Meaning] = {
    "same": _same,
    "bias": _bias,
    "elu": _alpha(1.0),
    "leaky": _alpha(0.2),
    "clipped": _fixed(min=0.0, max=6.0),
    "last-axis": _fixed(axis=-1),
    "floored": _floored,
    "product": _product,
    "batch-product": _batch_product,
    "equation": _equation,
    "reshape": _reshape,
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    "transpose": _transpose,
    "joined": _joined,
    "joined-first": _joined_first,
    "gathered": _gathered,
    "split": _split,
    "split-sizes": _split_sizes,
    "cast": _cast,
    "reduction": _reduction,
    "extreme": _extreme,
    "slice": _slice,
    "running-sum": _running_sum,
    "choice": _choice,
}
_OPERATORS = """
same: Abs Acos Acosh Add AddN AddV2 Asin Asinh Atan Atanh BroadcastTo Ceil Cos Cosh Div Equal Erf
    Exp Floor GatherNd Greater GreaterEqual Inv IsInf IsNan Less LessEqual Log LogicalAnd LogicalNot
    LogicalOr Maximum Minimum Mul Neg Pow RealDiv Reciprocal Relu Rint Round SelectV2 Selu Shape
    Sigmoid Sign Sin Sinh Size Softplus Softsign Sqrt Sub Tan Tanh Tile
bias: BiasAdd
elu: Elu
leaky: LeakyRelu
clipped: Relu6
last-axis: LogSoftmax Softmax
floored: FloorMod
product: MatMul
batch-product: BatchMatMul BatchMatMulV2 BatchMatMulV3
equation: Einsum
reshape: Reshape
squeeze: Squeeze
unsqueeze: ExpandDims
transpose: Transpose
joined: ConcatV2
joined-first: Concat
gathered: Gather GatherV2 ResourceGather
split: Split
split-sizes: SplitV
cast: Cast
reduction: Max Mean Min Prod Sum
extreme: ArgMax ArgMin
slice: Slice
running-sum: Cumsum
choice: If StatelessIf
"""
_MEANINGS: Mapping[str, Meaning] = meanings(_OPERATORS, _MEANINGS_BY_NAME)
