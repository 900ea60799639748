"""Operators that move, select and join elements."""

from __future__ import annotations

import math

import numpy as np

from modellint.model import Node, Tensor
from modellint.webnn.builder import broadcast
from modellint.webnn.converter import CannotError, WebConverter, axis_of, handles
from modellint.webnn.graphs import MLOperand

_MOST_POSITION = (1 << 31) - 1
_MOST_PLACES = 1 << 20


@handles("Reshape")
def _reshape(c: WebConverter, node: Node) -> None:
    x = c.input(node, 0)
    stated = node.get_ints("shape") or c.ints(node.input(1), "the shape")
    shape = list(stated or ())
    if not node.get_int("allowzero", 0):
        shape = [x.shape[at] if dim == 0 and at < x.rank else dim for at, dim in enumerate(shape)]
    if -1 in shape:
        rest = math.prod(dim for dim in shape if dim != -1)
        shape[shape.index(-1)] = math.prod(x.shape) // max(rest, 1)
    c.set(node.output(), c.reshape(x, shape))


@handles("Flatten")
def _flatten(c: WebConverter, node: Node) -> None:
    x, axis = c.input(node, 0), node.get_int("axis", 1) or 0
    axis = axis + x.rank if axis < 0 else axis
    c.set(node.output(), c.reshape(x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))))


@handles("Squeeze")
def _squeeze(c: WebConverter, node: Node) -> None:
    x = c.input(node, 0)
    stated = node.get_ints("axes") or c.ints(node.input(1), "the axes")
    if stated is None:
        axes = [at for at, dim in enumerate(x.shape) if dim == 1]
    else:
        axes = [axis_of(axis, x.rank) for axis in stated]
    c.set(node.output(), c.reshape(x, [dim for at, dim in enumerate(x.shape) if at not in axes]))


@handles("Unsqueeze")
def _unsqueeze(c: WebConverter, node: Node) -> None:
    x = c.input(node, 0)
    stated = node.get_ints("axes") or c.ints(node.input(1), "the axes") or ()
    rank = x.rank + len(stated)
    axes = {axis_of(axis, rank) for axis in stated}
    if len(axes) < len(stated):
        raise CannotError("it names an axis twice")
    dims = iter(x.shape)
    c.set(node.output(), c.reshape(x, [1 if at in axes else next(dims) for at in range(rank)]))


@handles("Transpose")
def _transpose(c: WebConverter, node: Node) -> None:
    x = c.input(node, 0)
    order = node.get_ints("perm") or tuple(reversed(range(x.rank)))
    c.set(node.output(), c.transpose(x, [axis_of(axis, x.rank) for axis in order]))


@handles("Concat")
def _concat(c: WebConverter, node: Node) -> None:
    given = [value for value in node.inputs if value is not None and not _is_empty(c, value)]
    inputs = [c.get(value) for value in given]
    if not inputs:
        raise CannotError("all of its inputs are empty")
    axis = axis_of(node.get_int("axis", 0) or 0, inputs[0].rank)
    if len(inputs) == 1:
        c.set(node.output(), inputs[0])
        return
    c.set(node.output(), c.call("concat", inputs=inputs, axis=axis))


def _is_empty(c: WebConverter, value: object) -> bool:
    content = c.known(value)  # type: ignore[arg-type]
    return content is not None and content.size == 0


@handles("Split")
def _split(c: WebConverter, node: Node) -> None:
    x = c.input(node, 0)
    axis = axis_of(node.get_int("axis", 0) or 0, x.rank)
    stated = node.get_ints("split") or c.ints(node.input(1), "the sizes")
    if stated is None:
        count = len(node.outputs)
        size = -(-x.shape[axis] // count)
        stated = [min(size, x.shape[axis] - size * at) for at in range(count)]
    parts = c.calls("split", input=x, splits=list(stated), axis=axis)
    for value, part in zip(node.outputs, parts, strict=False):
        c.set(value, part)


@handles("Slice")
def _slice(c: WebConverter, node: Node) -> None:
    x = c.input(node, 0)
    if c.opset(node) < 10:
        starts, ends = list(node.get_ints("starts") or ()), list(node.get_ints("ends") or ())
        axes, steps = node.get_ints("axes"), None
    else:
        starts = c.ints(node.input(1), "the start") or []
        ends = c.ints(node.input(2), "the end") or []
        axes = c.ints(node.input(3), "the axes")  # type: ignore[assignment]
        steps = c.ints(node.input(4), "the step")
    c.set(node.output(), sliced(c, x, starts, ends, list(axes or range(len(starts))), steps))


def sliced(
    c: WebConverter,
    x: MLOperand,
    starts: list[int],
    ends: list[int],
    axes: list[int],
    steps: list[int] | None = None,
) -> MLOperand:
    """Add a slice with bounds as ONNX has them; steps back reverse the axis first."""
    first, sizes, strides = [0] * x.rank, list(x.shape), [1] * x.rank
    backwards = []
    for at, axis in enumerate(axes):
        axis = axis_of(axis, x.rank)
        step = steps[at] if steps else 1
        chosen = range(
            *slice(_bound(starts[at], step, True), _bound(ends[at], step, False), step).indices(
                x.shape[axis]
            )
        )
        if not chosen:
            raise CannotError("its result is empty")
        begin = chosen[0]
        if step < 0:
            backwards.append(axis)
            begin = x.shape[axis] - 1 - chosen[0]
        first[axis], strides[axis] = begin, abs(step)
        sizes[axis] = (len(chosen) - 1) * abs(step) + 1
    if backwards:
        x = c.call("reverse", input=x, axes=backwards)
    if sizes == list(x.shape) and set(strides) <= {1}:
        return x
    stepped = strides if set(strides) > {1} or max(strides, default=1) > 1 else None
    return c.call("slice", input=x, starts=first, sizes=sizes, strides=stepped)


def _bound(number: int, step: int, is_start: bool) -> int | None:
    """Return a bound of a slice of Python for one of ONNX, where far below means all."""
    if step < 0 and not is_start and number < -_MOST_POSITION:
        return None
    return number


@handles("Pad")
def _pad(c: WebConverter, node: Node) -> None:
    x = c.input(node, 0)
    mode = node.get_str("mode", "constant") or "constant"
    if mode == "wrap":
        raise CannotError("WebNN has no mode wrap", "Pad with another mode.")
    if c.opset(node) < 11:
        pads, number = list(node.get_ints("pads") or ()), node.get_float("value", 0.0) or 0.0
        axes = list(range(x.rank))
    else:
        pads = c.ints(node.input(1), "the padding") or []
        stored = c.known(node.input(2))
        if node.input(2) is not None and stored is None:
            raise CannotError("its value is computed from the inputs")
        number = stored.reshape(-1)[0].item() if stored is not None and stored.size else 0.0
        axes = c.ints(node.input(3), "the axes") or list(range(x.rank))
    count = len(axes)
    before, after = [0] * x.rank, [0] * x.rank
    for at, axis in enumerate(axes):
        axis = axis_of(axis, x.rank)
        before[axis], after[axis] = pads[at], pads[at + count]
    c.set(node.output(), padded(c, x, before, after, mode, number))


def padded(
    c: WebConverter,
    x: MLOperand,
    before: list[int],
    after: list[int],
    mode: str = "constant",
    number: float = 0.0,
) -> MLOperand:
    """Add padding; where it is negative, elements are cut off."""
    if min(*before, *after, 0) < 0:
        starts = [max(-n, 0) for n in before]
        ends = [dim - max(-n, 0) for dim, n in zip(x.shape, after, strict=True)]
        x = sliced(c, x, starts, ends, list(range(x.rank)))
        before, after = [max(n, 0) for n in before], [max(n, 0) for n in after]
    if not any((*before, *after)):
        return x
    modes = {"reflect": "reflection", "edge": "edge"}
    return c.call(
        "pad",
        input=x,
        beginningPadding=before,
        endingPadding=after,
        mode=modes.get(mode),
        value=number if mode == "constant" and number else None,
    )


@handles("Expand")
def _expand(c: WebConverter, node: Node) -> None:
    x = c.input(node, 0)
    shape = broadcast(x.shape, tuple(c.ints(node.input(1), "the shape") or ()))
    c.set(node.output(), expanded(c, x, shape))


def expanded(c: WebConverter, x: MLOperand, shape: tuple[int, ...]) -> MLOperand:
    if x.shape == shape:
        return x
    return c.call("expand", input=x, newShape=list(shape))


@handles("ConstantOfShape")
def _filled(c: WebConverter, node: Node) -> None:
    shape = tuple(c.ints(node.input(0), "the shape") or ())
    stated = node.attributes.get("value")
    stored = stated.numpy() if isinstance(stated, Tensor) else np.zeros(1, np.float32)
    if stored is None:
        raise CannotError("its value cannot be read")
    c.set(node.output(), expanded(c, c.constant(stored.reshape(())), shape))


@handles("Tile")
def _tile(c: WebConverter, node: Node) -> None:
    x, counts = c.input(node, 0), c.ints(node.input(1), "the repeats") or []
    if all(count == 1 for count in counts):
        c.set(node.output(), x)
        return
    c.set(node.output(), c.call("tile", input=x, repetitions=counts))


@handles("Gather")
def _gather(c: WebConverter, node: Node) -> None:
    x = c.input(node, 0)
    axis = axis_of(node.get_int("axis", 0) or 0, x.rank)
    c.set(node.output(), c.call("gather", input=x, indices=_indices(c, node, x, axis), axis=axis))


def _indices(c: WebConverter, node: Node, x: MLOperand, axis: int) -> MLOperand:
    """Return indices; those that are stored count from the front, and in 32 bits."""
    stored = c.known(node.input(1))
    if stored is None:
        return c.input(node, 1)
    return c.constant(np.where(stored < 0, stored + x.shape[axis], stored).astype(np.int32))


@handles("GatherElements")
def _gather_elements(c: WebConverter, node: Node) -> None:
    x = c.input(node, 0)
    axis = axis_of(node.get_int("axis", 0) or 0, x.rank)
    indices = _indices(c, node, x, axis)
    c.set(node.output(), c.call("gatherElements", input=x, indices=indices, axis=axis))


@handles("GatherND")
def _gather_nd(c: WebConverter, node: Node) -> None:
    if node.get_int("batch_dims", 0):
        raise CannotError("WebNN's gatherND has no batch_dims")
    x, stored = c.input(node, 0), c.known(node.input(1))
    if stored is None:
        c.set(node.output(), c.call("gatherND", input=x, indices=c.input(node, 1)))
        return
    depth = stored.shape[-1]  # one gather over joined dims does, which Chromium 147 survives
    sizes = np.array(x.shape[:depth])
    steps = np.array([math.prod(x.shape[at + 1 : depth]) for at in range(depth)])
    places = (np.where(stored < 0, stored + sizes, stored) * steps).sum(-1).astype(np.int32)
    flat = c.reshape(x, (math.prod(x.shape[:depth]), *x.shape[depth:]))
    c.set(node.output(), c.call("gather", input=flat, indices=c.constant(places), axis=0))


@handles("ScatterElements", "Scatter")
def _scatter_elements(c: WebConverter, node: Node) -> None:
    _require_no_reduction(node)
    x = c.input(node, 0)
    axis = axis_of(node.get_int("axis", 0) or 0, x.rank)
    found = c.call(
        "scatterElements",
        input=x,
        indices=_indices(c, node, x, axis),
        updates=c.input(node, 2),
        axis=axis,
    )
    c.set(node.output(), found)


@handles("ScatterND")
def _scatter_nd(c: WebConverter, node: Node) -> None:
    _require_no_reduction(node)
    x = c.input(node, 0)
    found = c.call("scatterND", input=x, indices=c.input(node, 1), updates=c.input(node, 2))
    c.set(node.output(), found)


def _require_no_reduction(node: Node) -> None:
    if node.get_str("reduction", "none") != "none":
        raise CannotError("WebNN's scatter has no reduction")


@handles("DepthToSpace", "SpaceToDepth")
def _depth_to_space(c: WebConverter, node: Node) -> None:
    x, block = c.input(node, 0), node.get_int("blocksize", 1) or 1
    n, channels, height, width = x.shape
    if node.op_type == "SpaceToDepth":
        split = c.reshape(x, (n, channels, height // block, block, width // block, block))
        moved = c.transpose(split, (0, 3, 5, 1, 2, 4))
        shape = (n, channels * block**2, height // block, width // block)
        c.set(node.output(), c.reshape(moved, shape))
        return
    inner = channels // block**2
    if node.get_str("mode", "DCR") == "CRD":
        split = c.reshape(x, (n, inner, block, block, height, width))
        moved = c.transpose(split, (0, 1, 4, 2, 5, 3))
    else:
        split = c.reshape(x, (n, block, block, inner, height, width))
        moved = c.transpose(split, (0, 3, 4, 1, 5, 2))
    c.set(node.output(), c.reshape(moved, (n, inner, height * block, width * block)))


@handles("Trilu")
def _trilu(c: WebConverter, node: Node) -> None:
    diagonal = (c.ints(node.input(1), "the diagonal") or [0])[0]
    upper = bool(node.get_int("upper", 1))
    found = c.call("triangular", input=c.input(node, 0), upper=upper, diagonal=diagonal)
    c.set(node.output(), found)


@handles("OneHot")
def _one_hot(c: WebConverter, node: Node) -> None:
    indices = c.cast(c.input(node, 0), "int32")
    (depth,) = c.ints(node.input(1), "the depth") or [0]
    if depth > _MOST_PLACES:
        raise CannotError(f"its depth is {depth}")
    values = c.known(node.input(2))
    if values is None:
        raise CannotError("its values are computed from the inputs")
    axis = axis_of(node.get_int("axis", -1) or 0, indices.rank + 1)
    shape = [*indices.shape[:axis], 1, *indices.shape[axis:]]
    places = np.arange(depth, dtype=np.int32).reshape(
        [-1 if at == axis else 1 for at in range(len(shape))]
    )
    spread = c.reshape(indices, shape)
    negative = c.with_number("lesser", spread, 0)
    wrapped = c.with_number("add", spread, depth)
    counted = c.call("where", condition=negative, trueValue=wrapped, falseValue=spread)
    hot = c.binary("equal", counted, c.constant(places))
    off, on = (c.constant(np.array(each)) for each in values)
    c.set(node.output(), c.call("where", condition=hot, trueValue=on, falseValue=off))
