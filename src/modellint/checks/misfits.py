"""Inputs of a node that do not fit each other, in words; an empty text if they may fit."""

from __future__ import annotations

import math

from modellint.analysis.folding import folding
from modellint.checks.api import Context
from modellint.model import Node, Value, is_static

BLOCKED_DIMS = 2
"""Dims, from the last one back, that can be quantized in blocks."""


def volume(context: Context, node: Node, shape: Value, data: Value) -> str:
    """Describe a Reshape to another number of elements."""
    dims, sizes = _dims(context, data), context.analysis(folding).integers(shape)
    if dims is None or not sizes:
        return ""
    if not node.get_int("allowzero", 0):
        copied = dims + [0] * len(sizes)
        sizes = [size or copied[place] for place, size in enumerate(sizes)]
    have, want = math.prod(dims), math.prod(size for size in sizes if size != -1)
    fits = want == have if -1 not in sizes else want > 0 and have % want == 0
    return "" if fits else f"{have} elements and a shape of {want}"


def channels(context: Context, _: Node, scale: Value, data: Value) -> str:
    """Describe a normalization with another number of scales than channels."""
    scales, dims = _dims(context, scale), context.shape(data)
    found = dims[1] if dims is not None and len(dims) > 1 else None
    if scales is None or len(scales) != 1 or not isinstance(found, int) or found == scales[0]:
        return ""
    if found == 1 and not context.is_frozen(scale):
        return ""  # broadcast
    return f"{scales[0]} scales for {found} channels"


def group_channels(context: Context, node: Node, weight: Value, data: Value) -> str:
    """Describe a convolution whose weight is for another number of channels."""
    kernel, dims, groups = context.shape(weight), context.shape(data), node.get_int("group", 1)
    if kernel is None or dims is None or groups is None or len(kernel) < 3 or len(dims) < 3:
        return ""
    each, found = kernel[1], dims[1]
    if not isinstance(each, int) or not isinstance(found, int) or each * groups == found:
        return ""
    return f"a weight for {each * groups} channels on {found}"


def zero_points(context: Context, _: Node, zero: Value, scale: Value) -> str:
    """Describe zero points that are not as many as the scales."""
    zeros, scales = _dims(context, zero), _dims(context, scale)
    if zeros is None or scales is None or math.prod(zeros) == math.prod(scales):
        return ""
    return f"{math.prod(zeros)} zero points for {math.prod(scales)} scales"


def scales(context: Context, node: Node, scale: Value, data: Value) -> str:
    """Describe scales per channel or block that do not divide the data as TensorRT requires."""
    parts, dims, axis = _dims(context, scale), _dims(context, data), node.get_int("axis", 1)
    if parts is None or dims is None or axis is None or math.prod(parts) <= 1:
        return ""
    if len(parts) == 1:
        found = dims[axis] if -len(dims) <= axis < len(dims) else parts[0]
        return "" if found == parts[0] else f"{parts[0]} scales for {found} channels"
    if len(parts) != len(dims) or 0 in parts:
        return ""
    blocked = [place for place, dim in enumerate(dims) if parts[place] != dim]
    if len(blocked) > 1:
        return "scales in blocks along several dims"
    if not blocked:
        return "a scale for each element"
    place = blocked[0]
    if dims[place] % parts[place]:
        return f"{parts[place]} scales for {dims[place]} elements"
    if place < len(dims) - BLOCKED_DIMS:
        return f"blocks along dim {place} of {len(dims)}"
    return ""


def _dims(context: Context, value: Value) -> list[int] | None:
    """Return the shape if all of it is known."""
    shape = context.shape(value)
    return [dim for dim in shape if isinstance(dim, int)] if shape and is_static(shape) else None
