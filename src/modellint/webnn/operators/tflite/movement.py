"""Operators that move, select and join elements."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from modellint.model import Node
from modellint.webnn.converter import CannotError, WebConverter, axis_of
from modellint.webnn.operators.movement import expanded, padded, sliced
from modellint.webnn.operators.resizing import along, weights_of
from modellint.webnn.operators.tflite.values import (
    elements,
    give,
    handles_tflite,
    numbers,
    scheme,
)

_FAR_BELOW = -(1 << 40)
"""End of a slice that runs backwards over the first element."""
_MODES = {"REFLECT": "reflect"}


@handles_tflite("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
def _reshape(c: WebConverter, node: Node) -> None:
    x = elements(c, node, "reshape")
    give(c, node, c.reshape(x, _reshaped(c, node, x.shape)))


def _reshaped(c: WebConverter, node: Node, shape: tuple[int, ...]) -> Sequence[int]:
    """Return the shape of a result, from the operands: an open batch may have moved into others."""
    if node.op_type == "EXPAND_DIMS":
        (axis,) = c.ints(node.input(1), "the axis") or [0]
        axis = axis_of(axis, len(shape) + 1)
        return (*shape[:axis], 1, *shape[axis:])
    if node.op_type == "SQUEEZE":
        named = node.get_ints("squeeze_dims") or ()
        axes = {axis_of(axis, len(shape)) for axis in named}
        return [dim for at, dim in enumerate(shape) if not (at in axes if named else dim == 1)]
    known = c.known(node.input(1)) if node.input(1) is not None else None
    if known is None:
        return c.shape(node.output())
    wanted = [int(dim) for dim in known.reshape(-1)]
    if -1 in wanted:
        rest = math.prod(dim for dim in wanted if dim != -1)
        wanted[wanted.index(-1)] = math.prod(shape) // max(rest, 1)
    return wanted


@handles_tflite("TRANSPOSE")
def _transpose(c: WebConverter, node: Node) -> None:
    order = c.ints(node.input(1), "the order") or []
    give(c, node, c.transpose(elements(c, node, "transpose"), order))


@handles_tflite("CONCATENATION", "PACK")
def _concat(c: WebConverter, node: Node) -> None:
    is_new = node.op_type == "PACK"
    parts = [elements(c, node, "concat", at) for at in range(len(node.inputs))]
    if len({part.dtype for part in parts}) > 1:
        parts = [numbers(c, node, at) for at in range(len(node.inputs))]
    axis = axis_of(node.get_int("axis", 0) or 0, parts[0].rank + is_new)
    if is_new:
        parts = [c.reshape(each, (*each.shape[:axis], 1, *each.shape[axis:])) for each in parts]
    give(c, node, parts[0] if len(parts) == 1 else c.call("concat", inputs=parts, axis=axis))


@handles_tflite("SPLIT", "SPLIT_V", "UNPACK")
def _split(c: WebConverter, node: Node) -> None:
    at = 1 if node.op_type == "SPLIT" else 0
    x, count = elements(c, node, "split", at), len(node.outputs)
    if node.op_type == "UNPACK":
        axis = axis_of(node.get_int("axis", 0) or 0, x.rank)
        sizes = [1] * count
    else:
        (axis,) = c.ints(node.input(0 if at else 2), "the axis") or [0]
        axis = axis_of(axis, x.rank)
        stated = c.ints(node.input(1), "the sizes") or [] if not at else []
        sizes = (
            [x.shape[axis] // count] * count
            if node.op_type == "SPLIT"
            else [
                x.shape[axis] - sum(each for each in stated if each > 0) if size == -1 else size
                for size in stated
            ]
        )
    parts = c.calls("split", input=x, splits=sizes, axis=axis) if count > 1 else (x,)
    for place, part in enumerate(parts):
        if node.op_type == "UNPACK":
            part = c.reshape(part, (*part.shape[:axis], *part.shape[axis + 1 :]))
        give(c, node, part, place)


@handles_tflite("SLICE")
def _slice(c: WebConverter, node: Node) -> None:
    x, starts = elements(c, node, "slice"), c.ints(node.input(1), "the start") or []
    sizes = c.ints(node.input(2), "the size") or []
    ends = [
        dim if size == -1 else start + size
        for dim, start, size in zip(x.shape, starts, sizes, strict=True)
    ]
    give(c, node, sliced(c, x, starts, ends, list(range(x.rank))))


@handles_tflite("STRIDED_SLICE")
def _strided_slice(c: WebConverter, node: Node) -> None:
    x = elements(c, node, "slice")
    chosen = [
        range(dim)[each] if isinstance(each, slice) else range(dim)[each : each + 1 or None]
        for dim, each in zip(x.shape, selection(c, node, x.shape), strict=True)
    ]
    if not all(chosen):
        raise CannotError("its result is empty")
    steps = [each.step for each in chosen]
    ends = [each[-1] + (1 if each.step > 0 else -1) for each in chosen]
    ends = [end if end >= 0 else _FAR_BELOW for end in ends]
    found = sliced(c, x, [each[0] for each in chosen], ends, list(range(x.rank)), steps)
    kept = [
        dim
        for dim, each in zip(found.shape, selection(c, node, x.shape), strict=True)
        if isinstance(each, slice)
    ]
    give(c, node, c.reshape(found, kept))


def selection(c: WebConverter, node: Node, shape: Sequence[int]) -> list[slice | int]:
    """Return what a STRIDED_SLICE selects from each dim."""
    if node.get_int("ellipsis_mask", 0) or node.get_int("new_axis_mask", 0):
        raise CannotError("it has a mask of an ellipsis or of new dims", "Reshape instead.")
    if node.get_int("offset", 0):
        raise CannotError("its ends are counted from its starts")
    starts = c.ints(node.input(1), "the start") or []
    ends = c.ints(node.input(2), "the end") or []
    steps = c.ints(node.input(3), "the step") or [1] * len(starts)
    names = ("begin_mask", "end_mask", "shrink_axis_mask")
    begins, finishes, shrinks = (node.get_int(name, 0) or 0 for name in names)
    found: list[slice | int] = []
    for at in range(len(shape)):
        if at >= len(starts):
            found.append(slice(None))
        elif shrinks >> at & 1:
            found.append(starts[at] + (shape[at] if starts[at] < 0 else 0))
        else:
            start = None if begins >> at & 1 else starts[at]
            found.append(slice(start, None if finishes >> at & 1 else ends[at], steps[at]))
    return found


@handles_tflite("PAD", "PADV2", "MIRROR_PAD")
def _pad(c: WebConverter, node: Node) -> None:
    x = numbers(c, node, 0)
    pads = c.ints(node.input(1), "the padding") or []
    mode, number = "constant", 0.0
    if node.op_type == "MIRROR_PAD":
        stated = node.get_str("mode") or ""
        if stated not in _MODES:
            raise CannotError("WebNN does not repeat the edge when it mirrors", "Use REFLECT.")
        mode = _MODES[stated]
    elif node.op_type == "PADV2":
        number = _number(c, node, 2)
    give(c, node, padded(c, x, pads[::2], pads[1::2], mode, number))


def _number(c: WebConverter, node: Node, at: int) -> float:
    value = node.input(at)
    known = c.known(value)
    if known is None or known.size != 1:
        raise CannotError("its value is computed from the inputs", "Make it constant.")
    stated = scheme(c, value)
    if stated is None:
        return float(known.reshape(-1)[0])
    (scale, zero), *_ = stated.parameters
    return (float(known.reshape(-1)[0]) - zero) * scale


@handles_tflite("GATHER", "EMBEDDING_LOOKUP")
def _gather(c: WebConverter, node: Node) -> None:
    is_lookup = node.op_type == "EMBEDDING_LOOKUP"
    x, places = elements(c, node, "gather", int(is_lookup)), c.input(node, int(not is_lookup))
    if node.get_int("batch_dims", 0):
        raise CannotError("WebNN's gather has no batch_dims")
    axis = 0 if is_lookup else axis_of(node.get_int("axis", 0) or 0, x.rank)
    give(c, node, c.call("gather", input=x, indices=places, axis=axis))


@handles_tflite("GATHER_ND")
def _gather_nd(c: WebConverter, node: Node) -> None:
    x = elements(c, node, "gatherND")
    give(c, node, c.call("gatherND", input=x, indices=c.input(node, 1)))


@handles_tflite("TILE")
def _tile(c: WebConverter, node: Node) -> None:
    counts = c.ints(node.input(1), "the repeats") or []
    give(c, node, c.call("tile", input=elements(c, node, "tile"), repetitions=counts))


@handles_tflite("BROADCAST_TO")
def _broadcast(c: WebConverter, node: Node) -> None:
    shape = tuple(c.ints(node.input(1), "the shape") or ())
    give(c, node, expanded(c, elements(c, node, "expand"), shape))


@handles_tflite("REVERSE_V2")
def _reverse(c: WebConverter, node: Node) -> None:
    x = elements(c, node, "reverse")
    named = c.ints(node.input(1), "the axis") or []
    found = c.call("reverse", input=x, axes=[axis_of(axis, x.rank) for axis in named])
    give(c, node, found)


@handles_tflite("DEPTH_TO_SPACE", "SPACE_TO_DEPTH")
def _depth_to_space(c: WebConverter, node: Node) -> None:
    x, block = elements(c, node, "transpose"), node.get_int("block_size", 1) or 1
    n, height, width, channels = x.shape
    if node.op_type == "DEPTH_TO_SPACE":
        inner = channels // block**2
        split = c.reshape(x, (n, height, width, block, block, inner))
    else:
        split = c.reshape(x, (n, height // block, block, width // block, block, channels))
    moved = c.transpose(split, (0, 1, 3, 2, 4, 5))
    if node.op_type == "DEPTH_TO_SPACE":
        shape = (n, height * block, width * block, inner)
    else:
        shape = (n, height // block, width // block, channels * block**2)
    give(c, node, c.reshape(moved, shape))


@handles_tflite("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND")
def _space_to_batch(c: WebConverter, node: Node) -> None:
    blocks = c.ints(node.input(1), "the blocks") or []
    edges = c.ints(node.input(2), "the edges") or []
    x = numbers(c, node, 0)
    count = len(blocks)
    rest = x.rank - 1 - count
    if node.op_type == "SPACE_TO_BATCH_ND":
        x = padded(c, x, [0, *edges[::2], *[0] * rest], [0, *edges[1::2], *[0] * rest])
        shape, order = [x.shape[0]], [2 * at + 2 for at in range(count)]
        for dim, block in zip(x.shape[1:], blocks, strict=False):
            shape += [dim // block, block]
        order += [0, *(2 * at + 1 for at in range(count))]
        order += [2 * count + 1 + at for at in range(rest)]
        moved = c.transpose(c.reshape(x, [*shape, *x.shape[1 + count :]]), order)
        sizes = moved.shape[count + 1 :]
        give(c, node, c.reshape(moved, (math.prod(moved.shape[: count + 1]), *sizes)))
        return
    batch = x.shape[0] // math.prod(blocks)
    split = c.reshape(x, (*blocks, batch, *x.shape[1:]))
    order = [count]
    for at in range(count):
        order += [count + 1 + at, at]
    order += [2 * count + 1 + at for at in range(rest)]
    joined = [dim * block for dim, block in zip(x.shape[1:], blocks, strict=False)]
    whole = c.reshape(c.transpose(split, order), (batch, *joined, *x.shape[1 + count :]))
    before = [0, *(-edge for edge in edges[::2]), *[0] * rest]
    after = [0, *(-edge for edge in edges[1::2]), *[0] * rest]
    give(c, node, padded(c, whole, before, after))


@handles_tflite("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
def _resize(c: WebConverter, node: Node) -> None:
    sizes = c.ints(node.input(1), "the sizes") or []
    is_half, is_aligned = node.get_int("half_pixel_centers", 0), node.get_int("align_corners", 0)
    if node.op_type == "RESIZE_NEAREST_NEIGHBOR":
        x = elements(c, node, "gather")
        for axis, size in zip((1, 2), sizes, strict=True):
            places = _nearest(x.shape[axis], size, bool(is_half), bool(is_aligned))
            x = c.call("gather", input=x, indices=c.constant(places), axis=axis)
        give(c, node, x)
        return
    x = numbers(c, node, 0)
    at = "align_corners" if is_aligned else "half_pixel" if is_half else "asymmetric"
    if at == "half_pixel" and min(sizes) > 1:
        give(c, node, c.call("resample2d", input=x, mode="linear", sizes=sizes, axes=[1, 2]))
        return
    for axis, size in zip((1, 2), sizes, strict=True):
        if size != x.shape[axis]:
            dim = x.shape[axis]
            x = along(c, x, axis, weights_of(node, "linear", at, dim, size, size / dim))
    give(c, node, x)


def _nearest(dim: int, size: int, is_half: bool, is_aligned: bool) -> NDArray[np.int32]:
    """Return which row of the input becomes each of the result."""
    step = (dim - 1) / (size - 1) if is_aligned and size > 1 else dim / size
    sources = (np.arange(size) + (0.5 if is_half else 0.0)) * step
    found = np.floor(sources + 0.5) if is_aligned else np.floor(sources)
    places: NDArray[np.int32] = np.clip(found, 0, dim - 1).astype(np.int32)
    return places


@handles_tflite("FILL", "ZEROS_LIKE")
def _fill(c: WebConverter, node: Node) -> None:
    if node.op_type == "FILL":
        x, shape = numbers(c, node, 1), tuple(c.ints(node.input(0), "the shape") or ())
    else:
        like = numbers(c, node, 0)
        x, shape = c.scalar(0.0, like), like.shape
    give(c, node, expanded(c, c.reshape(x, ()), shape))
