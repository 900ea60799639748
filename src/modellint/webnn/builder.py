"""Validation of operators as `MLGraphBuilder` does it: the shapes of results, or why there is none.

Written after the specification's algorithms (Editor's Draft of 27 June 2026). The types and ranks
that a context takes are a table (`limits.py`); the rest is here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from modellint.webnn.graphs import MLOperand
from modellint.webnn.limits import ContextLimits

Shape = tuple[int, ...]
Arguments = Mapping[str, Any]
Result = tuple[str, Shape]

MOST_DIM = 2**31 - 1


class BuilderError(Exception):
    """An operator that `MLGraphBuilder` does not take."""


def results(limits: ContextLimits, method: str, arguments: Arguments) -> list[Result]:
    """Return the types and shapes of an operator's results; raise BuilderError if it is refused."""
    shape_of = _SHAPES.get(method)
    if shape_of is None or not limits.has(method):
        raise BuilderError(f"the context has no operator {method}")
    for name, given in arguments.items():
        for operand in given if isinstance(given, (list, tuple)) else [given]:
            if isinstance(operand, MLOperand):
                limits.require(method, name, operand)
    found = shape_of(arguments)
    for dtype, shape in found:
        if any(not 0 < dim <= MOST_DIM for dim in shape):
            raise BuilderError(f"a result of {method} would have the shape {list(shape)}")
        limits.require_size(dtype, shape)
    return found


def broadcast(a: Shape, b: Shape) -> Shape:
    """Return the shape that two are broadcast to, in both directions."""
    found = []
    for left, right in zip_longest(reversed(a), reversed(b), fillvalue=1):
        if left != right and 1 not in (left, right):
            raise BuilderError(f"the shapes {list(a)} and {list(b)} are not broadcastable")
        found.append(max(left, right))
    return tuple(reversed(found))


def is_broadcast_to(a: Shape, b: Shape) -> bool:
    """Return True if a shape can be broadcast to another."""
    return len(a) <= len(b) and all(
        left in (1, right) for left, right in zip(reversed(a), reversed(b), strict=False)
    )


def _require(condition: object, words: str) -> None:
    if not condition:
        raise BuilderError(words)


def _same_types(given: Arguments, *names: str) -> None:
    types = {given[name].dtype for name in names if given.get(name) is not None}
    _require(len(types) < 2, f"the types of {', '.join(names)} differ: {', '.join(sorted(types))}")


def _like_input(given: Arguments) -> list[Result]:
    return [(given["input"].dtype, given["input"].shape)]


def _clamp(given: Arguments) -> list[Result]:
    low, high = given.get("minValue"), given.get("maxValue")
    _require(low is None or high is None or low <= high, "the lowest value exceeds the highest")
    return _like_input(given)


def _to_bytes(given: Arguments) -> list[Result]:
    return [("uint8", given["a"].shape)]


def _binary(given: Arguments) -> list[Result]:
    _same_types(given, "a", "b")
    return [(given["a"].dtype, broadcast(given["a"].shape, given["b"].shape))]


def _comparison(given: Arguments) -> list[Result]:
    return [("uint8", _binary(given)[0][1])]


def _where(given: Arguments) -> list[Result]:
    _same_types(given, "trueValue", "falseValue")
    inner = broadcast(given["trueValue"].shape, given["falseValue"].shape)
    return [(given["trueValue"].dtype, broadcast(given["condition"].shape, inner))]


def _prelu(given: Arguments) -> list[Result]:
    _same_types(given, "input", "slope")
    return [(given["input"].dtype, broadcast(given["input"].shape, given["slope"].shape))]


def _cast(given: Arguments) -> list[Result]:
    return [(given["dataType"], given["input"].shape)]


def _windows(size: Sequence[int], window: Sequence[int], given: Arguments) -> Shape:
    """Return the output sizes of a window that moves over the last two dims."""
    padding = given.get("padding") or [0, 0, 0, 0]
    strides, dilations = given.get("strides") or [1, 1], given.get("dilations") or [1, 1]
    _require(all([*strides, *dilations, *window]), "a stride, dilation or window is 0")
    found = []
    for at in (0, 1):
        reach = (window[at] - 1) * dilations[at] + 1
        padded = size[at] + padding[2 * at] + padding[2 * at + 1]
        _require(padded >= reach, f"the window of {reach} is larger than the input of {padded}")
        found.append((padded - reach) // strides[at] + 1)
    return tuple(found)


def _arranged(shape: Shape, layout: str, wanted: str) -> Shape:
    """Return dims that are stated in one order of letters in another."""
    return tuple(shape[layout.index(letter)] for letter in wanted)


def _conv(given: Arguments) -> list[Result]:
    given_input, kernel, groups = given["input"], given["filter"], given.get("groups", 1)
    _same_types(given, "input", "filter", "bias")
    layout = given.get("inputLayout", "nchw")
    batch, channels, *size = _arranged(given_input.shape, layout, "nchw")
    order = given.get("filterLayout", "oihw")
    filters, per_group, *window = _arranged(kernel.shape, order, "oihw")
    _require(groups > 0 and channels == per_group * groups, _channels(channels, per_group, groups))
    _bias(given, filters)
    found = (batch, filters, *_windows(size, window, given))
    return [(given_input.dtype, _arranged(found, "nchw", layout))]


def _conv_transpose(given: Arguments) -> list[Result]:
    given_input, kernel, groups = given["input"], given["filter"], given.get("groups", 1)
    _same_types(given, "input", "filter", "bias")
    layout = given.get("inputLayout", "nchw")
    batch, channels, *size = _arranged(given_input.shape, layout, "nchw")
    order = given.get("filterLayout", "iohw")
    inputs, per_group, *window = _arranged(kernel.shape, order, "iohw")
    _require(inputs == channels, f"a filter for {inputs} channels, and an input with {channels}")
    _bias(given, per_group * groups)
    padding = given.get("padding") or [0, 0, 0, 0]
    strides, dilations = given.get("strides") or [1, 1], given.get("dilations") or [1, 1]
    extra = given.get("outputPadding") or [0, 0]
    _require(all(e < s for e, s in zip(extra, strides, strict=True)), "the output's padding")
    found = [batch, per_group * groups]
    for at in (0, 1):
        reach = (window[at] - 1) * dilations[at] + 1
        both = padding[2 * at] + padding[2 * at + 1]
        found.append((size[at] - 1) * strides[at] + reach - both + extra[at])
    return [(given_input.dtype, _arranged(tuple(found), "nchw", layout))]


def _channels(channels: int, per_group: int, groups: int) -> str:
    return f"{channels} channels are not {groups} groups of {per_group}"


def _bias(given: Arguments, channels: int) -> None:
    bias = given.get("bias")
    _require(bias is None or bias.shape == (channels,), f"the bias has not the shape [{channels}]")


def _pool(given: Arguments) -> list[Result]:
    layout = given.get("layout", "nchw")
    batch, channels, *size = _arranged(given["input"].shape, layout, "nchw")
    window = given.get("windowDimensions") or size
    found = (batch, channels, *_windows(size, window, given))
    return [(given["input"].dtype, _arranged(found, "nchw", layout))]


def _batch_norm(given: Arguments) -> list[Result]:
    axis, shape = given.get("axis", 1), given["input"].shape
    _same_types(given, "input", "mean", "variance", "scale", "bias")
    _require(axis < len(shape), "the axis is not one of the input")
    for name in ("mean", "variance", "scale", "bias"):
        operand = given.get(name)
        _require(
            operand is None or operand.shape == (shape[axis],),
            f"{name} has not the shape [{shape[axis]}]",
        )
    return _like_input(given)


def _instance_norm(given: Arguments) -> list[Result]:
    _same_types(given, "input", "scale", "bias")
    channels = given["input"].shape[1]
    for name in ("scale", "bias"):
        operand = given.get(name)
        _require(
            operand is None or operand.shape == (channels,),
            f"{name} has not the shape [{channels}]",
        )
    return _like_input(given)


def _layer_norm(given: Arguments) -> list[Result]:
    _same_types(given, "input", "scale", "bias")
    shape = given["input"].shape
    axes = given.get("axes")
    axes = list(range(1, len(shape))) if axes is None else axes
    _axes(axes, len(shape))
    wanted = tuple(shape[axis] for axis in axes)
    for name in ("scale", "bias"):
        operand = given.get(name)
        _require(operand is None or operand.shape == wanted, f"{name} is not {list(wanted)}")
    return _like_input(given)


def _axes(axes: Sequence[int], rank: int) -> None:
    _require(all(0 <= axis < rank for axis in axes), f"an axis is not below the rank {rank}")
    _require(len(set(axes)) == len(axes), "an axis is given twice")


def _reduce(given: Arguments) -> list[Result]:
    shape, axes = given["input"].shape, given.get("axes")
    axes = range(len(shape)) if axes is None else axes
    _axes(axes, len(shape))
    return [(given["input"].dtype, _reduced(shape, axes, given.get("keepDimensions", False)))]


def _reduced(shape: Shape, axes: Sequence[int], keeps: bool) -> Shape:
    if keeps:
        return tuple(1 if at in axes else dim for at, dim in enumerate(shape))
    return tuple(dim for at, dim in enumerate(shape) if at not in axes)


def _arg(given: Arguments) -> list[Result]:
    shape, axis = given["input"].shape, given["axis"]
    _axes([axis], len(shape))
    dtype = given.get("outputDataType", "int32")
    return [(dtype, _reduced(shape, [axis], given.get("keepDimensions", False)))]


def _along_axis(given: Arguments) -> list[Result]:
    _axes([given["axis"]], given["input"].rank)
    return _like_input(given)


def _reverse(given: Arguments) -> list[Result]:
    _axes(given["axes"], given["input"].rank)
    return _like_input(given)


def _matmul(given: Arguments) -> list[Result]:
    _same_types(given, "a", "b")
    a, b = given["a"].shape, given["b"].shape
    _require(a[-1] == b[-2], f"{a[-1]} columns and {b[-2]} rows cannot be multiplied")
    return [(given["a"].dtype, (*broadcast(a[:-2], b[:-2]), a[-2], b[-1]))]


def _gemm(given: Arguments) -> list[Result]:
    _same_types(given, "a", "b", "c")
    a, b = given["a"].shape, given["b"].shape
    a = a[::-1] if given.get("aTranspose") else a
    b = b[::-1] if given.get("bTranspose") else b
    _require(a[1] == b[0], f"{a[1]} columns and {b[0]} rows cannot be multiplied")
    c = given.get("c")
    found = (a[0], b[1])
    _require(c is None or is_broadcast_to(c.shape, found), f"c is not broadcast to {list(found)}")
    return [(given["a"].dtype, found)]


def _concat(given: Arguments) -> list[Result]:
    first, *others = given["inputs"]
    axis = given["axis"]
    _axes([axis], first.rank)
    for other in others:
        _require(other.dtype == first.dtype, "the types of the inputs differ")
        alike = other.rank == first.rank and all(
            at == axis or dim == first.shape[at] for at, dim in enumerate(other.shape)
        )
        _require(alike, f"{list(other.shape)} cannot be joined to {list(first.shape)}")
    total = sum(each.shape[axis] for each in given["inputs"])
    return [(first.dtype, (*first.shape[:axis], total, *first.shape[axis + 1 :]))]


def _split(given: Arguments) -> list[Result]:
    source, axis = given["input"], given.get("axis", 0)
    _axes([axis], source.rank)
    splits = given["splits"]
    _require(all(part > 0 for part in splits), "a part is empty")
    _require(sum(splits) == source.shape[axis], "the parts are not the whole")
    before, after = source.shape[:axis], source.shape[axis + 1 :]
    return [(source.dtype, (*before, part, *after)) for part in splits]


def _slice(given: Arguments) -> list[Result]:
    shape = given["input"].shape
    strides = given.get("strides") or [1] * len(shape)
    found = []
    lists = (given["starts"], given["sizes"], strides)
    _require(all(len(each) == len(shape) for each in lists), "starts, sizes or strides are missing")
    for dim, start, size, stride in zip(shape, *lists, strict=True):
        _require(stride > 0 and size > 0, "a stride or size is 0")
        _require(start < dim and start + size <= dim, "the slice is outside the input")
        found.append(-(-size // stride))
    return [(given["input"].dtype, tuple(found))]


def _pad(given: Arguments) -> list[Result]:
    shape = given["input"].shape
    found = []
    for dim, before, after in zip(
        shape, given["beginningPadding"], given["endingPadding"], strict=True
    ):
        if given.get("mode") == "reflection":
            _require(max(before, after) < dim, "a reflection is longer than the input")
        found.append(dim + before + after)
    return [(given["input"].dtype, tuple(found))]


def _reshape(given: Arguments) -> list[Result]:
    source, shape = given["input"], tuple(given["newShape"])
    _require(
        math.prod(shape) == math.prod(source.shape), f"{list(source.shape)} is not {list(shape)}"
    )
    return [(source.dtype, shape)]


def _transpose(given: Arguments) -> list[Result]:
    source, order = given["input"], given["permutation"]
    _require(sorted(order) == list(range(source.rank)), "the permutation is invalid")
    return [(source.dtype, tuple(source.shape[at] for at in order))]


def _expand(given: Arguments) -> list[Result]:
    source, shape = given["input"], tuple(given["newShape"])
    _require(is_broadcast_to(source.shape, shape), f"{source.shape} does not expand to {shape}")
    return [(source.dtype, shape)]


def _tile(given: Arguments) -> list[Result]:
    source, counts = given["input"], given["repetitions"]
    _require(len(counts) == source.rank and all(counts), "the repetitions are invalid")
    return [(source.dtype, tuple(d * n for d, n in zip(source.shape, counts, strict=True)))]


def _gather(given: Arguments) -> list[Result]:
    source, axis, indices = given["input"], given.get("axis", 0), given["indices"]
    _axes([axis], source.rank)
    return [(source.dtype, (*source.shape[:axis], *indices.shape, *source.shape[axis + 1 :]))]


def _gather_elements(given: Arguments) -> list[Result]:
    source, axis, indices = given["input"], given.get("axis", 0), given["indices"]
    _axes([axis], source.rank)
    alike = indices.rank == source.rank and all(
        at == axis or dim == source.shape[at] for at, dim in enumerate(indices.shape)
    )
    _require(alike, "the indices have another shape than the input")
    return [(source.dtype, indices.shape)]


def _gather_nd(given: Arguments) -> list[Result]:
    source, indices = given["input"], given["indices"]
    depth = indices.shape[-1]
    _require(depth <= source.rank, "an index is longer than the rank of the input")
    return [(source.dtype, (*indices.shape[:-1], *source.shape[depth:]))]


def _scatter_elements(given: Arguments) -> list[Result]:
    _same_types(given, "input", "updates")
    _axes([given.get("axis", 0)], given["input"].rank)
    _require(given["updates"].shape == given["indices"].shape, "updates and indices differ")
    return _like_input(given)


def _scatter_nd(given: Arguments) -> list[Result]:
    _same_types(given, "input", "updates")
    source, indices = given["input"], given["indices"]
    depth = indices.shape[-1]
    _require(depth <= source.rank, "an index is longer than the rank of the input")
    wanted = (*indices.shape[:-1], *source.shape[depth:])
    _require(given["updates"].shape == wanted, f"the updates are not {list(wanted)}")
    return _like_input(given)


def _triangular(given: Arguments) -> list[Result]:
    _require(given["input"].rank >= 2, "the input has fewer than two dims")
    return _like_input(given)


def _resample(given: Arguments) -> list[Result]:
    shape = list(given["input"].shape)
    axes, scales = given.get("axes") or [2, 3], given.get("scales") or [1.0, 1.0]
    sizes = given.get("sizes")
    for at, axis in enumerate(axes):
        shape[axis] = sizes[at] if sizes else math.floor(shape[axis] * scales[at])
    return [(given["input"].dtype, tuple(shape))]


def _dequantize(given: Arguments) -> list[Result]:
    _blocks(given)
    return [(given["scale"].dtype, given["input"].shape)]


def _quantize(given: Arguments) -> list[Result]:
    _same_types(given, "input", "scale")
    _blocks(given)
    return [(given["zeroPoint"].dtype, given["input"].shape)]


def _blocks(given: Arguments) -> None:
    shape, scale = given["input"].shape, given["scale"].shape
    _require(given["zeroPoint"].shape == scale, "scale and zero point differ in shape")
    fits = len(scale) == len(shape) and all(
        part > 0 and dim % part == 0 for dim, part in zip(shape, scale, strict=True)
    )
    _require(fits, f"a scale of {list(scale)} is not in blocks of {list(shape)}")


def _recurrent(gates: int) -> Callable[[Arguments], list[Result]]:
    def shape_of(given: Arguments) -> list[Result]:
        source, hidden = given["input"], given["hiddenSize"]
        steps, batch, width = source.shape
        both = 2 if given.get("direction") == "both" else 1
        _require(given["steps"] == steps, f"the input has {steps} steps")
        wanted = {
            "weight": (both, gates * hidden, width),
            "recurrentWeight": (both, gates * hidden, hidden),
            "bias": (both, gates * hidden),
            "recurrentBias": (both, gates * hidden),
            "peepholeWeight": (both, 3 * hidden),
            "initialHiddenState": (both, batch, hidden),
            "initialCellState": (both, batch, hidden),
        }
        for name, shape in wanted.items():
            operand = given.get(name)
            _require(operand is None or operand.shape == shape, f"{name} is not {list(shape)}")
            _require(operand is None or operand.dtype == source.dtype, f"the type of {name}")
        states = 2 if gates == 4 else 1
        found: list[Result] = [(source.dtype, (both, batch, hidden))] * states
        if given.get("returnSequence"):
            found.append((source.dtype, (steps, both, batch, hidden)))
        return found

    return shape_of


def _named(shape_of: Callable[[Arguments], list[Result]], methods: str) -> dict[str, Any]:
    return dict.fromkeys(methods.split(), shape_of)


_SHAPES: Mapping[str, Callable[[Arguments], list[Result]]] = {
    **_named(
        _like_input,
        "abs ceil cos elu erf exp floor gelu hardSigmoid hardSwish identity leakyRelu linear log "
        "neg reciprocal relu roundEven sigmoid sign sin softplus softsign sqrt tan tanh",
    ),
    **_named(_to_bytes, "logicalNot isNaN isInfinite"),
    **_named(_binary, "add sub mul div max min pow"),
    **_named(
        _comparison,
        "equal notEqual greater greaterOrEqual lesser lesserOrEqual logicalAnd logicalOr "
        "logicalXor",
    ),
    **_named(_pool, "averagePool2d l2Pool2d maxPool2d"),
    **_named(
        _reduce,
        "reduceL1 reduceL2 reduceLogSum reduceLogSumExp reduceMax reduceMean reduceMin "
        "reduceProduct reduceSum reduceSumSquare",
    ),
    **_named(_arg, "argMax argMin"),
    **_named(_along_axis, "softmax cumulativeSum"),
    "batchNormalization": _batch_norm,
    "cast": _cast,
    "clamp": _clamp,
    "concat": _concat,
    "conv2d": _conv,
    "convTranspose2d": _conv_transpose,
    "dequantizeLinear": _dequantize,
    "expand": _expand,
    "gather": _gather,
    "gatherElements": _gather_elements,
    "gatherND": _gather_nd,
    "gemm": _gemm,
    "gru": _recurrent(3),
    "instanceNormalization": _instance_norm,
    "layerNormalization": _layer_norm,
    "lstm": _recurrent(4),
    "matmul": _matmul,
    "pad": _pad,
    "prelu": _prelu,
    "quantizeLinear": _quantize,
    "resample2d": _resample,
    "reshape": _reshape,
    "reverse": _reverse,
    "scatterElements": _scatter_elements,
    "scatterND": _scatter_nd,
    "slice": _slice,
    "split": _split,
    "tile": _tile,
    "transpose": _transpose,
    "triangular": _triangular,
    "where": _where,
}
