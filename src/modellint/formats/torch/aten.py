"""Common names of PyTorch's operators, where operators of the standard mean the same.

An operator becomes one of the standard only if its arguments can be stated as the standard does:
in a tensor's shape, a number that depends on the input's size often cannot. All others keep their
names, with the library that defines them as the domain, `aten` for PyTorch's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

from modellint.formats.meanings import meanings
from modellint.formats.torch.aten_arguments import AtenArguments
from modellint.model import DTYPES, Attribute, DType, Value, small_constant
from modellint.model.dtypes import BY_CODE
from modellint.operators import of

DOMAIN = "aten"
Values = tuple[Value | None, ...]
LAST = (1 << 63) - 1


class AtenOperation(NamedTuple):
    """A node in common terms."""

    op_type: str
    domain: str
    inputs: Values
    attributes: Mapping[str, Attribute]


class _AtenName(NamedTuple):
    op_type: str
    domain: str


Stated = tuple[Values, Mapping[str, Attribute]]
Meaning = Callable[[AtenArguments], "Stated | None"]
"""Returns inputs and attributes as the standard's operator has them; None if it cannot."""


def translate(library: str, operator: str, given: AtenArguments) -> AtenOperation:
    """Return a node in common terms, from the names of its operator."""
    name = "conv_transpose2d" if given.flag("transposed") else operator
    meaning = _MEANINGS.get(name) if library in _LIBRARIES else None
    stated = meaning(given) if meaning is not None else None
    if stated is None:
        return AtenOperation(operator, library, given.all_tensors(), given.plain())
    return AtenOperation(common_name(library, name), "", *stated)


@cache
def common_name(library: str, operator: str) -> str:
    return of(_AtenName(operator, library)).op_type


# Shared parts


def _same_types(*values: Value | None) -> bool:
    return len({value.declared_dtype for value in values if value is not None}) == 1


def _rank(value: Value | None) -> int | None:
    shape = value.declared_shape if value is not None else None
    return len(shape) if shape is not None else None


def _static(value: Value | None) -> tuple[int, ...] | None:
    """Return the shape if it is the same for all inputs."""
    shape = value.declared_shape if value is not None else None
    if shape is None or not all(isinstance(dim, int) for dim in shape):
        return None
    return tuple(dim for dim in shape if isinstance(dim, int))


def _spread(numbers: tuple[int, ...], count: int) -> tuple[int, ...] | None:
    """Return a number for each axis of a window, where one stands for all."""
    if len(numbers) == 1:
        return numbers * count
    return numbers if len(numbers) == count else None


def _axis(given: AtenArguments, name: str, of_value: Value | None) -> int | None:
    """Return an axis counted from the front."""
    axis, rank = given.integer(name), _rank(of_value)
    if axis is None or rank is None or not -rank <= axis < max(rank, 1):
        return None
    return axis + rank if axis < 0 else axis


# Layers


def _convolution(given: AtenArguments) -> Stated | None:
    data, weight = given.tensor("input"), given.tensor("weight")
    count = (_rank(weight) or 0) - 2
    if count < 1 or _rank(data) != count + 2:
        return None
    attributes = _window_of(given, count, "stride", "dilation")
    padding = given.argument("padding", 0)
    if attributes is None:
        return None
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            return None
        attributes["auto_pad"] = "SAME_UPPER" if padding == "same" else "VALID"
    else:
        pads = _spread(given.ints("padding") or (0,), count)
        if pads is None:
            return None
        attributes["pads"] = pads + pads
    attributes["group"] = given.integer("groups", 1) or 1
    return given.present("input", "weight", "bias"), attributes


def _transposed(given: AtenArguments) -> Stated | None:
    data, weight = given.tensor("input"), given.tensor("weight")
    count = (_rank(weight) or 0) - 2
    if count < 1 or _rank(data) != count + 2:
        return None
    attributes = _window_of(given, count, "stride", "dilation")
    pads = _spread(given.ints("padding") or (0,), count)
    more = _spread(given.ints("output_padding") or (0,), count)
    if attributes is None or pads is None or more is None:
        return None
    attributes |= {"pads": pads + pads, "output_padding": more}
    attributes["group"] = given.integer("groups", 1) or 1
    return given.present("input", "weight", "bias"), attributes


def _window_of(
    given: AtenArguments, count: int, stride: str, dilation: str
) -> dict[str, Attribute] | None:
    strides = _spread(given.ints(stride) or (1,), count)
    dilations = _spread(given.ints(dilation) or (1,), count)
    if strides is None or dilations is None:
        return None
    return {"strides": strides, "dilations": dilations}


def _linear(given: AtenArguments) -> Stated | None:
    if _rank(given.tensor("input")) != 2 or _rank(given.tensor("weight")) != 2:
        return None
    return given.present("input", "weight", "bias"), {"transB": 1}


def _addmm(given: AtenArguments) -> Stated | None:
    if given.number("alpha", 1) != 1 or given.number("beta", 1) != 1:
        return None
    return given.present("mat1", "mat2", "self"), {}


def _two(left: str, right: str) -> Meaning:
    return lambda given: (given.present(left, right), {})


def _batch_norm(given: AtenArguments) -> Stated | None:
    inputs = given.present("input", "weight", "bias", "running_mean", "running_var")
    epsilon = given.number("eps", 1e-5)
    if given.flag("training") or None in inputs or len(inputs) != 5 or epsilon is None:
        return None
    return inputs, {"epsilon": float(epsilon)}


def _layer_norm(given: AtenArguments) -> Stated | None:
    shape, epsilon = given.ints("normalized_shape"), given.number("eps", 1e-5)
    inputs = given.present("input", "weight", "bias")
    if not shape or len(inputs) < 2 or None in inputs or epsilon is None:
        return None
    return inputs, {"axis": -len(shape), "epsilon": float(epsilon)}


def _rms_norm(given: AtenArguments) -> Stated | None:
    shape, inputs = given.ints("normalized_shape"), given.present("input", "weight")
    epsilon = given.number("eps", 0)
    if not shape or len(inputs) < 2 or not epsilon:
        return None
    return inputs, {"axis": -len(shape), "epsilon": float(epsilon)}


def _group_norm(given: AtenArguments) -> Stated | None:
    inputs, epsilon = given.present("input", "weight", "bias"), given.number("eps", 1e-5)
    groups = given.integer("num_groups", given.integer("group"))
    if len(inputs) < 3 or None in inputs or groups is None or epsilon is None:
        return None
    return inputs, {"num_groups": groups, "epsilon": float(epsilon)}


def _instance_norm(given: AtenArguments) -> Stated | None:
    inputs, epsilon = given.present("input", "weight", "bias"), given.number("eps", 1e-5)
    if len(inputs) < 3 or None in inputs or not given.flag("use_input_stats") or epsilon is None:
        return None
    return inputs, {"epsilon": float(epsilon)}


def _attention(given: AtenArguments) -> Stated | None:
    inputs = given.present("query", "key", "value", "attn_mask")
    if any(_rank(value) != 4 for value in inputs[:3]) or given.number("dropout_p", 0):
        return None
    attributes: dict[str, Attribute] = {"is_causal": int(given.flag("is_causal"))}
    scale = given.number("scale", None)
    if scale is not None:
        attributes["scale"] = float(scale)
    return inputs, attributes


# Pooling and reductions


def _pool(given: AtenArguments) -> Stated | None:
    data = given.tensor("self")
    kernel = given.ints("kernel_size")
    count = (_rank(data) or 0) - 2
    sizes = _spread(kernel, count) if kernel and count > 0 else None
    if sizes is None or given.argument("divisor_override", None) is not None:
        return None
    strides = _spread(given.ints("stride") or sizes, count)
    pads = _spread(given.ints("padding") or (0,), count)
    dilations = _spread(given.ints("dilation") or (1,), count)
    if strides is None or pads is None or dilations is None:
        return None
    attributes: dict[str, Attribute] = {
        "kernel_shape": sizes,
        "strides": strides,
        "pads": pads + pads,
        "ceil_mode": int(given.flag("ceil_mode")),
    }
    if "dilation" in given:
        attributes["dilations"] = dilations
    if given.operator.startswith("avg"):
        attributes["count_include_pad"] = int(given.flag("count_include_pad", default=True))
    return (data,), attributes


def _global_pool(given: AtenArguments) -> Stated | None:
    data, sizes = given.tensor("self"), given.ints("output_size")
    if sizes is None or set(sizes) != {1} or (_rank(data) or 0) < 3:
        return None
    return (data,), {}


def _reduction(given: AtenArguments) -> Stated | None:
    data, result = given.tensor("self"), given.result
    axes = given.ints("dim") if "dim" in given else ()
    if axes is None or not _same_types(data, result):
        return None
    keeps = int(given.flag("keepdim"))
    if not axes:
        return (data,), {"keepdims": keeps}
    return (data, given.constant("dim", axes, "int64")), {"keepdims": keeps}


def _arg(given: AtenArguments) -> Stated | None:
    data = given.tensor("self")
    axis = _axis(given, "dim", data)
    if axis is None:
        return None
    return (data,), {"axis": axis, "keepdims": int(given.flag("keepdim"))}


def _norm(given: AtenArguments) -> Stated | None:
    axes = given.ints("dim") if "dim" in given else ()
    if given.number("ord", 2) != 2 or axes is None:
        return None
    data, keeps = given.tensor("self"), int(given.flag("keepdim"))
    inputs = (data, given.constant("dim", axes, "int64")) if axes else (data,)
    return (inputs, {"keepdims": keeps}) if _same_types(data, given.result) else None


def _cumsum(given: AtenArguments) -> Stated | None:
    data, axis = given.tensor("self"), given.integer("dim")
    if axis is None or not _same_types(data, given.result):
        return None
    return (data, given.constant("dim", axis, "int64")), {}


def _topk(given: AtenArguments) -> Stated | None:
    count, data = given.integer("k"), given.tensor("self")
    if count is None:
        return None
    attributes = {
        "axis": given.integer("dim", -1) or 0,
        "largest": int(given.flag("largest", default=True)),
        "sorted": int(given.flag("sorted", default=True)),
    }
    return (data, given.constant("k", (count,), "int64")), attributes


def _softmax(given: AtenArguments) -> Stated | None:
    data, axis = given.tensor("self"), given.integer("dim")
    if axis is None or not _same_types(data, given.result) or not _rank(data):
        return None
    return (data,), {"axis": axis}


# Functions of each element


def _unary(given: AtenArguments) -> Stated | None:
    data = given.tensor("self")
    return ((data,), {}) if _same_types(data, given.result) else None


def _binary(given: AtenArguments) -> Stated | None:
    """Have a meaning where no operand is converted to another type first."""
    left, right = given.tensor("self"), given.tensor("other")
    known = left if left is not None else right
    if known is None or given.number("alpha", 1) != 1 or given.argument("rounding_mode", None):
        return None
    if not _same_types(left, right, given.result):
        return None
    return _both(given, left, right, known)


def _comparison(given: AtenArguments) -> Stated | None:
    left, right = given.tensor("self"), given.tensor("other")
    known = left if left is not None else right
    if known is None or not _same_types(left, right):
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
    if base is None or not _same_types(base, exponent, given.result):
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
    return ((data,), attributes) if _same_types(data, given.result) else None


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
    return (inputs, {}) if len(inputs) == 3 and _same_types(*inputs[1:]) else None


def _cast(given: AtenArguments) -> Stated | None:
    """Convert to another type; a copy, or a move to another device, keeps its own name."""
    data, dtype = given.tensor("self"), given.result.declared_dtype
    if data is None or dtype not in BY_CODE or dtype is data.declared_dtype:
        return None
    return (data,), {"to": BY_CODE.index(dtype)}


# Views


def _reshape(given: AtenArguments) -> Stated | None:
    data = given.tensor("self")
    shape = _shape_argument(data, given.result)
    if data is None or shape is None:
        return None
    return (data, given.constant("size", shape, "int64")), {}


def _shape_argument(data: Value | None, result: Value) -> tuple[int, ...] | None:
    """Return the shape as a constant, with 0 for what is kept and -1 for what follows."""
    wanted = result.declared_shape
    have = data.declared_shape if data is not None else None
    if wanted is None or have is None or None in wanted:
        return None
    found: list[int] = []
    for at, dim in enumerate(wanted):
        if isinstance(dim, int):
            found.append(dim)
        else:
            found.append(0 if at < len(have) and have[at] == dim else -1)
    zeros = any(dim == 0 for dim in wanted) and any(dim in (0, -1) for dim in found)
    if found.count(-1) > 1 or zeros:
        return None
    return tuple(found)


def _unsqueeze(given: AtenArguments) -> Stated | None:
    axis = given.integer("dim")
    if axis is None:
        return None
    return (given.tensor("self"), given.constant("dim", (axis,), "int64")), {}


def _squeeze(given: AtenArguments) -> Stated | None:
    """Have a meaning if all of the axes are there to be removed."""
    data, axes = given.tensor("self"), given.ints("dim")
    shape = data.declared_shape if data is not None else None
    if shape is None or not axes or any(not -len(shape) <= axis < len(shape) for axis in axes):
        return None
    if any(shape[axis] != 1 for axis in axes):
        return None
    return (data, given.constant("dim", axes, "int64")), {}


def _permute(given: AtenArguments) -> Stated | None:
    data, order = given.tensor("self"), given.ints("dims")
    rank = _rank(data)
    if rank is None or order is None or len(order) != rank:
        return None
    return (data,), {"perm": tuple(axis % max(rank, 1) for axis in order)}


def _swap(given: AtenArguments) -> Stated | None:
    data = given.tensor("self")
    rank = _rank(data)
    first = given.integer("dim0", given.integer("axis0", 0))
    second = given.integer("dim1", given.integer("axis1", 1))
    if rank is None or first is None or second is None or rank < 2:
        return None
    if not (-rank <= first < rank and -rank <= second < rank):
        return None
    order = list(range(rank))
    order[first % rank], order[second % rank] = order[second % rank], order[first % rank]
    return (data,), {"perm": tuple(order)}


def _expand(given: AtenArguments) -> Stated | None:
    shape = _static(given.result)
    if shape is None:
        return None
    return (given.tensor("self"), given.constant("size", shape, "int64")), {}


# Selecting and joining


def _cat(given: AtenArguments) -> Stated | None:
    values = given.tensors("tensors")
    axis = given.integer("dim", 0)
    if not values or axis is None or not _same_types(*values):
        return None
    if any(_rank(value) != _rank(values[0]) for value in values):
        return None
    return values, {"axis": axis}


def _embedding(given: AtenArguments) -> Stated:
    return given.present("weight", "indices"), {"axis": 0}


def _index_select(given: AtenArguments) -> Stated | None:
    axis = _axis(given, "dim", given.tensor("self"))
    index = given.tensor("index")
    if axis is None or _rank(index) != 1:
        return None
    return (given.tensor("self"), index), {"axis": axis}


def _gather(given: AtenArguments) -> Stated | None:
    axis = _axis(given, "dim", given.tensor("self"))
    return (given.present("self", "index"), {"axis": axis}) if axis is not None else None


def _select(given: AtenArguments) -> Stated | None:
    axis, index = _axis(given, "dim", given.tensor("self")), given.integer("index")
    if axis is None or index is None:
        return None
    return (given.tensor("self"), given.constant("index", index, "int64")), {"axis": axis}


def _slice(given: AtenArguments) -> Stated | None:
    axis = _axis(given, "dim", given.tensor("self")) if "dim" in given else 0
    start, end = given.integer("start", 0), given.integer("end", LAST)
    step = given.integer("step", 1)
    if axis is None or start is None or end is None or step is None:
        return None
    names = {"start": start, "end": end, "dim": axis, "step": step}
    constants = [given.constant(name, (number,), "int64") for name, number in names.items()]
    return (given.tensor("self"), *constants), {}


def _split(given: AtenArguments) -> Stated | None:
    data = given.tensor("self")
    axis = _axis(given, "dim", data) if "dim" in given else 0
    shapes = [value.declared_shape for value in given.results]
    if axis is None or any(shape is None or len(shape) <= axis for shape in shapes):
        return None
    along = [shape[axis] for shape in shapes if shape is not None]
    sizes = tuple(size for size in along if isinstance(size, int))
    if len(sizes) != len(along):
        return None
    return (data, given.constant("sizes", sizes, "int64")), {"axis": axis}


def _repeat(given: AtenArguments) -> Stated | None:
    counts = given.ints("repeats")
    data = given.tensor("self")
    if counts is None or len(counts) != _rank(data):
        return None
    return (data, given.constant("repeats", counts, "int64")), {}


_PAD_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}


def _pad(given: AtenArguments) -> Stated | None:
    data, pads = given.tensor("self"), given.ints("pad")
    rank, mode = _rank(data), _PAD_MODES.get(str(given.argument("mode", "constant")))
    if rank is None or pads is None or len(pads) % 2 or len(pads) > 2 * rank or mode is None:
        return None
    before, after = [0] * rank, [0] * rank
    for at in range(len(pads) // 2):
        before[rank - 1 - at], after[rank - 1 - at] = pads[2 * at], pads[2 * at + 1]
    inputs = [data, given.constant("pad", (*before, *after), "int64")]
    value = given.number("value", 0)
    if mode == "constant" and value and data is not None:
        inputs.append(given.scalar("value", data))
    return tuple(inputs), {"mode": mode}


def _upsample(given: AtenArguments) -> Stated | None:
    data = given.tensor("input") or given.tensor("self")
    shape = _static(given.result)
    if shape is None or data is None:
        return None
    mode = "nearest" if "nearest" in given.operator else "linear"
    if "bicubic" in given.operator:
        mode = "cubic"
    place = "asymmetric" if mode == "nearest" else "half_pixel"
    if given.flag("align_corners"):
        place = "align_corners"
    attributes: dict[str, Attribute] = {"mode": mode, "coordinate_transformation_mode": place}
    if mode == "nearest":
        attributes["nearest_mode"] = "floor"
    if mode == "cubic":
        attributes["cubic_coeff_a"] = -0.75
    return (data, None, None, given.constant("size", shape, "int64")), attributes


def _einsum(given: AtenArguments) -> Stated | None:
    equation = given.argument("equation", None)
    values = given.tensors("tensors")
    return (values, {"equation": equation}) if isinstance(equation, str) and values else None


# Quantization, of the library `quantized_decomposed`


def _integer_type(given: AtenArguments) -> DType | None:
    dtype = given.element_type("dtype")
    return dtype if dtype is not None and dtype.is_integer and dtype.bits <= 16 else None


def _quantizer(given: AtenArguments) -> Stated | None:
    """Have a meaning if all numbers of the type are used, or all but the lowest."""
    data, dtype = given.tensor("input"), _integer_type(given)
    low, high = given.integer("quant_min"), given.integer("quant_max")
    if data is None or dtype is None or low is None or high is None:
        return None
    bits = int(dtype.bits)
    least = -(1 << bits - 1) if dtype.kind == "int" else 0
    if high != least + (1 << bits) - 1 or low not in (least, least + (dtype.kind == "int")):
        return None
    if "scales" in given:
        axis, zeros = given.integer("axis", 0), given.tensor("zero_points")
        if axis is None or (zeros is not None and not _is_zero(zeros)):
            return None
        return (data, given.tensor("scales")), {"axis": axis}
    scale, zero = given.number("scale", None), given.integer("zero_point")
    if scale is None or zero is None:
        return None
    constants = (
        given.constant("scale", float(scale), "float32"),
        given.constant("zero_point", zero, dtype.name),
    )
    return (data, *constants), {}


def _is_zero(value: Value) -> bool:
    """Return True for zero points that say nothing: PyTorch stores them as wider integers."""
    numbers = small_constant(value)
    return numbers is not None and not numbers.any()


_MEANINGS_BY_NAME: Mapping[str, Meaning] = {
    "addmm": _addmm,
    "arg": _arg,
    "attention": _attention,
    "batch-norm": _batch_norm,
    "binary": _binary,
    "cast": _cast,
    "cat": _cat,
    "clamp": _clamp,
    "comparison": _comparison,
    "convolution": _convolution,
    "cumsum": _cumsum,
    "einsum": _einsum,
    "elu": _elu,
    "embedding": _embedding,
    "expand": _expand,
    "gather": _gather,
    "gelu": _gelu,
    "global-pool": _global_pool,
    "group-norm": _group_norm,
    "hard-sigmoid": _hard_sigmoid,
    "index-select": _index_select,
    "instance-norm": _instance_norm,
    "layer-norm": _layer_norm,
    "leaky": _with("alpha", "negative_slope", 0.01),
    "linear": _linear,
    "logical": _logical,
    "norm": _norm,
    "pad": _pad,
    "permute": _permute,
    "pool": _pool,
    "power": _power,
    "product": _two("self", "other"),
    "product-of-two": _two("self", "mat2"),
    "quantizer": _quantizer,
    "reduction": _reduction,
    "repeat": _repeat,
    "reshape": _reshape,
    "rms-norm": _rms_norm,
    "select": _select,
    "slice": _slice,
    "softmax": _softmax,
    "softplus": _softplus,
    "split": _split,
    "squeeze": _squeeze,
    "swap": _swap,
    "topk": _topk,
    "transposed": _transposed,
    "unary": _unary,
    "unsqueeze": _unsqueeze,
    "upsample": _upsample,
    "where": _where,
}
_OPERATORS = """
addmm: addmm
arg: argmax argmin
attention: scaled_dot_product_attention
batch-norm: batch_norm _native_batch_norm_legit_no_training
binary: add sub mul div true_divide minimum maximum
cast: to _to_copy type_as
cat: cat concat
clamp: clamp clamp_min clamp_max hardtanh relu6
comparison: eq gt ge lt le
convolution: conv1d conv2d conv3d convolution
cumsum: cumsum
einsum: einsum
elu: elu
embedding: embedding
expand: expand expand_as
gather: gather
gelu: gelu
global-pool: adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d _adaptive_avg_pool2d
group-norm: group_norm native_group_norm
hard-sigmoid: hardsigmoid
index-select: index_select
instance-norm: instance_norm
layer-norm: layer_norm native_layer_norm
leaky: leaky_relu
linear: linear
logical: logical_and logical_or logical_xor logical_not __and__ __or__ bitwise_and bitwise_or
    bitwise_not
norm: linalg_vector_norm
pad: pad constant_pad_nd
permute: permute
pool: max_pool1d max_pool2d max_pool3d max_pool2d_with_indices avg_pool1d avg_pool2d avg_pool3d
power: pow
product: matmul
product-of-two: mm bmm
quantizer: quantize_per_tensor dequantize_per_tensor quantize_per_channel dequantize_per_channel
reduction: mean sum amax amin
repeat: repeat
reshape: view reshape _unsafe_view flatten unflatten reshape_as view_as
rms-norm: rms_norm
select: select
slice: slice
softmax: softmax _softmax log_softmax _log_softmax
softplus: softplus
split: split split_with_sizes chunk
squeeze: squeeze
swap: transpose swapaxes t
topk: topk
transposed: conv_transpose1d conv_transpose2d conv_transpose3d
unary: abs acos acosh asin asinh atan atanh ceil cos cosh erf exp floor hardswish isnan log mish neg
    reciprocal relu round selu sigmoid sign silu sin sinh sqrt tan tanh
unsqueeze: unsqueeze
upsample: upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d
    upsample_bilinear2d upsample_trilinear3d upsample_bicubic2d
where: where
"""
_MEANINGS: Mapping[str, Meaning] = meanings(_OPERATORS, _MEANINGS_BY_NAME)
_LIBRARIES = frozenset({DOMAIN, "quantized_decomposed"})
