"""Fixes of needless data movement."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from modellint.analysis.fusion import made_by
from modellint.checks.api import Context, Hit
from modellint.fixes.building import instead, main_opset, narrowed, readable, tolerance_of, wide
from modellint.fixes.conditions import bypass, integers, is_settled, keeps_shape, opset_of
from modellint.model import DType, Node, Shape, Value, is_static, small_constant, small_integers
from modellint.model.edits import (
    AddTensor,
    Fix,
    GraphEdit,
    InsertNodes,
    NewNode,
    RemoveNodes,
    Replace,
    SetAttribute,
    SetInput,
    SetType,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FIRST_WITH_BROADCASTING = 8
"""Opset since which all element-wise ops broadcast as NumPy does."""
_FIRST_WITH_SHAPE_INPUT = 5
"""Opset since which Reshape takes its shape as an input."""
_PRECISION = {"bfloat16": 2e-2, "float16": 2e-3, "float32": 1e-6}
"""Largest change by rounding to a type, relative to the largest element, after other layers."""
_FLOAT_ARGUMENTS = frozenset({"Resize", "Upsample"})
"""Operators with arguments that stay float32, whatever the type of their data."""
_BITS = {
    "float8e4m3fn": (4, 3),
    "float8e5m2": (5, 2),
    "float16": (5, 10),
    "bfloat16": (8, 7),
    "float32": (8, 23),
    "float64": (11, 52),
}
"""Bits of exponent and fraction."""


def drop_transposes(context: Context, hit: Hit) -> Fix | None:
    """Read the input of the first of two Transposes instead of the result of the second."""
    second = hit.place
    first = made_by(second.input(0), "Transpose") if isinstance(second, Node) else None
    if not isinstance(second, Node) or first is None:
        return None
    edits = bypass(second, first.input(0))
    if edits is None:
        return None
    return Fix(edits, f"Removes Transpose '{second.label}' and what it undoes.")


def use_convolution(context: Context, hit: Hit) -> Fix | None:
    """Write a product of matrices between two Transposes as a convolution of single pixels."""
    product, last = hit.place, hit.witness
    if not isinstance(product, Node) or product.op_type != "MatMul" or last is None:
        return None
    weight, first = product.input(1), made_by(product.input(0), "Transpose")
    source, result = first.input(0) if first is not None else None, last.output()
    if first is None or source is None or result is None or weight is None:
        return None
    if weight.tensor is None or not readable(weight) or len(weight.tensor.shape) != 2:
        return None
    perm = first.get_ints("perm") or ()
    rank, tolerance = len(perm), tolerance_of(result)
    if rank not in (3, 4, 5) or perm != (0, *range(2, rank), 1) or tolerance is None:
        return None
    end, nodes, bias = last.input(0), [first, product], None
    addition = made_by(end, "Add")
    if addition is not None and product.output() in addition.inputs:
        bias = addition.input(1 if addition.input(0) is product.output() else 0)
        sizes = bias.tensor.shape if bias is not None and bias.tensor is not None else ()
        if not readable(bias) or sizes != weight.tensor.shape[1:]:
            return None
        nodes.append(addition)
    elif end is not product.output():
        return None
    if not main_opset(context, last.graph):
        return None
    dtype, shape = weight.tensor.dtype, (*weight.tensor.shape[::-1], *(1,) * (rank - 2))
    kernel = f"{weight.name}_kernel"
    inputs = (source, kernel, bias) if bias is not None else (source, kernel)

    def elements() -> NDArray[Any]:
        return narrowed(wide(weight).T.reshape(shape), dtype)

    conv = NewNode("Conv", inputs, (result,), name=product.name)
    added = AddTensor(kernel, last.graph, dtype, shape, elements)
    says = f"Writes MatMul '{product.label}' as a 1×1 convolution, without Transposes."
    return Fix((added, *instead(nodes, last, conv)), says, tolerance=tolerance)


def drop_casts(context: Context, hit: Hit) -> Fix | None:
    """Read the input of the first of two Casts instead of the result of the second."""
    second = hit.place
    between = second.input(0) if isinstance(second, Node) else None
    first = made_by(between, "Cast")
    source = first.input(0) if first is not None else None
    if not isinstance(second, Node) or between is None or source is None:
        return None
    edits, middle = bypass(second, source), between.dtype
    if edits is None or source.dtype is None or middle is None:
        return None
    says = f"Removes Cast '{second.label}' and what it reverses."
    if _holds(middle, source.dtype):
        return Fix(edits, says, "safe")
    return Fix(edits, says, "numbers", tolerance=_PRECISION.get(middle.name, 1e-1))


def _holds(wide: DType, narrow: DType) -> bool:
    """Return True if one type has all the numbers of another."""
    ours, theirs = _BITS.get(wide.name), _BITS.get(narrow.name)
    return ours is not None and theirs is not None and all(map(int.__ge__, ours, theirs))


def drop_copy(context: Context, hit: Hit) -> Fix | None:
    """Read the input of a node that only copies it, whatever the deployment."""
    node = hit.place
    if not isinstance(node, Node) or not _only_copies(node):
        return None
    edits = bypass(node, node.input(0))
    if edits is None:
        return None
    return Fix(edits, f"Removes {node.op_type} '{node.label}', which only copies its input.")


def _only_copies(node: Node) -> bool:
    """Return True if a node changes nothing, whatever shapes a deployment gives the inputs."""
    if node.op_type in ("Resize", "Slice"):
        return keeps_shape(node) and _keeps_elements(node)
    source, output = node.input(0), node.output()
    if source is None or output is None or source.dtype != output.dtype:
        return False
    return all(value is None or is_settled(value) for value in node.inputs[1:])


def _keeps_elements(node: Node) -> bool:
    if node.op_type == "Resize":
        mode = node.get_str("coordinate_transformation_mode", "half_pixel")
        return mode != "tf_crop_and_resize"
    steps = node.input(4)
    return steps is None or (
        is_settled(steps) and all(step > 0 for step in small_integers(steps) or (0,))
    )


def narrow_island(context: Context, hit: Hit) -> Fix | None:
    """Compute in half precision between two Casts, as the surrounding nodes do."""
    node, back = hit.place, hit.witness
    if not isinstance(node, Node) or back is None or node.op_type in _FLOAT_ARGUMENTS:
        return None
    made, output = node.output(), back.output()
    narrow = output.dtype if output is not None else None
    if made is None or output is None or narrow is None:
        return None
    edits: list[GraphEdit] = [Replace(output, made), RemoveNodes((back,))]
    for place, value in enumerate(node.inputs):
        narrowed = _narrowed(node, place, value, narrow)
        if narrowed is None:
            return None
        edits += narrowed
    if made.declared_dtype is not None:
        edits.append(SetType(made, narrow))
    says = f"Lets {node.op_type} '{node.label}' compute in {narrow} between its Casts."
    return Fix(tuple(edits), says, "numbers", tolerance=_PRECISION[narrow.name])


def _narrowed(
    node: Node, place: int, value: Value | None, narrow: DType
) -> tuple[GraphEdit, ...] | None:
    """Return the edits that let a node read an input in a narrow type; None if there are none."""
    if value is None or value.dtype is None or not value.dtype.is_float:
        return ()
    cast = made_by(value, "Cast")
    source = cast.input(0) if cast is not None else None
    if source is not None and source.dtype is narrow:
        return (SetInput(node, place, source),)
    elements = value.tensor.numpy() if is_settled(value) and value.tensor is not None else None
    if elements is None:
        return None
    name = f"{value.name}_{narrow}"
    converted = partial(elements.astype, narrow.numpy)
    return (
        AddTensor(name, node.graph, narrow, elements.shape, converted),
        SetInput(node, place, name),
    )


def join_split(context: Context, hit: Hit) -> Fix | None:
    """Read the input of a Split instead of its joined parts."""
    concat = hit.place
    split = made_by(concat.input(0), "Split") if isinstance(concat, Node) else None
    if not isinstance(concat, Node) or split is None:
        return None
    edits = bypass(concat, split.input(0))
    if edits is None:
        return None
    return Fix(edits, f"Uses the input of Split '{split.label}' instead of its joined parts.")


def drop_expand(context: Context, hit: Hit) -> Fix | None:
    """Let broadcasting ops read the input of an Expand that repeats it for them."""
    expand = hit.place
    output = expand.output() if isinstance(expand, Node) else None
    if not isinstance(expand, Node) or output is None:
        return None
    if opset_of(expand.graph) < _FIRST_WITH_BROADCASTING:
        return None
    if not all(_broadcasts(use.node, use.index, output) for use in output.consumers):
        return None
    edits = bypass(expand, expand.input(0))
    if edits is None:
        return None
    says = f"Removes Expand '{expand.label}': what reads it broadcasts."
    return Fix(edits, says, "safe" if is_static(output.shape) else "exact")


def _broadcasts(user: Node, index: int, expanded: Value) -> bool:
    """Return True if another operand of a node has all dims of an expanded one."""
    wide = expanded.shape
    if wide is None or None in wide or (user.op_type == "PRelu" and index == 0):
        return False
    return any(
        value is not None
        and value is not expanded
        and made_by(value, "Expand") is None  # which may be dropped likewise
        and _ends_with(value.shape, wide)
        for value in user.inputs
    )


def _ends_with(shape: Shape | None, wide: Shape) -> bool:
    return shape is not None and shape[len(shape) - len(wide) :] == wide if shape else not wide


def reshape_once(context: Context, hit: Hit) -> Fix | None:
    """Go from the first to the last shape of consecutive views at once."""
    first, last = hit.related[0], hit.related[-1]
    source, output = first.input(0), last.output()
    if source is None or output is None or first is last:
        return None
    says = f"Merges the {len(hit.related)} views that end at '{last.label}' into one Reshape."
    if is_static(source.shape) and source.shape == output.shape:
        edits = bypass(last, source)
        return Fix(edits, f"Removes the views up to '{last.label}'.") if edits else None
    if _has_plain_target(last):
        return Fix((SetInput(last, 0, source),), says)
    target = _target(source.shape, output.shape)
    if target is None or opset_of(last.graph) < _FIRST_WITH_SHAPE_INPUT:
        return None
    reshape = NewNode("Reshape", (source, "target"), (output,), name=last.name)
    edits = (
        RemoveNodes((last,)),
        integers("target", last.graph, target),
        InsertNodes(last.graph, (reshape,), before=last),
    )
    return Fix(edits, says, "exact" if 0 in target else "safe")


def _has_plain_target(node: Node) -> bool:
    """Return True for a Reshape whose shape does not depend on that of its input."""
    target = node.input(1) if node.op_type == "Reshape" else None
    sizes = small_integers(target) if is_settled(target) else None
    return bool(sizes) and 0 not in (sizes or ())


def _target(before: Shape | None, after: Shape | None) -> list[int] | None:
    """Return the shape to give to a Reshape from one shape to another; None if it is not known."""
    if before is None or after is None or 0 in after:
        return None
    kept = [
        isinstance(dim, str) and place < len(before) and before[place] == dim
        for place, dim in enumerate(after)
    ]
    if sum(not isinstance(dim, int) for dim in after) == 1:
        kept = [False] * len(after)
    target = [
        0 if same else dim if isinstance(dim, int) else -1
        for dim, same in zip(after, kept, strict=True)
    ]
    return target if target.count(-1) <= 1 else None


def _is_by_two(resize: Node) -> bool:
    """Return True if a Resize is given sizes, or the factor 2 itself: 2.3 can lead to as many."""
    scales = small_constant(resize.input(2))
    if scales is None:
        return resize.input(2) is None
    return not scales.size or scales.reshape(-1)[-2:].tolist() == [2, 2]


def copy_pixels(context: Context, hit: Hit) -> Fix | None:
    """Let a Resize that doubles an image use the modes with a fast kernel."""
    resize = hit.place
    source = resize.input(0) if isinstance(resize, Node) else None
    output = resize.output() if isinstance(resize, Node) else None
    if not isinstance(resize, Node) or source is None or output is None:
        return None
    before, after = source.shape, output.shape
    if before is None or after is None or len(before) != 4 or len(after) != 4:
        return None
    doubled = [
        isinstance(dim, int) and 2 * dim == made for dim, made in zip(before, after, strict=True)
    ]
    if not all(doubled[2:]) or before[:2] != after[:2] or None in before[:2]:
        return None
    if not _is_by_two(resize):
        return None
    edits = (
        SetAttribute(resize, "coordinate_transformation_mode", "asymmetric"),
        SetAttribute(resize, "nearest_mode", "floor"),
    )
    return Fix(edits, f"Sets the modes of Resize '{resize.label}' that copy pixels.")


def gather_pixels(context: Context, hit: Hit) -> Fix | None:
    """Write four strided Slices that are joined as channels as a SpaceToDepth."""
    concat = hit.place
    chains = [_strided(value) for value in concat.inputs] if isinstance(concat, Node) else []
    sources = {id(chain[0]): chain[0] for chain in chains if chain is not None}
    if not isinstance(concat, Node) or None in chains or len(sources) != 1:
        return None
    (source,) = sources.values()
    channels = source.shape[1] if source.shape is not None and len(source.shape) == 4 else None
    order = [_PIXELS.index(chain[1]) for chain in chains if chain is not None]
    if not isinstance(channels, int) or sorted(order) != [0, 1, 2, 3]:
        return None
    pixels = NewNode("SpaceToDepth", (source,), ("pixels",), {"blocksize": 2})
    taken = [place * channels + channel for place in order for channel in range(channels)]
    says = f"Writes the Slices before Concat '{concat.label}' as a SpaceToDepth."
    if order == [0, 1, 2, 3]:
        alone = replace(pixels, outputs=concat.outputs, name=concat.name)
        return Fix((RemoveNodes((concat,)), InsertNodes(concat.graph, (alone,), concat)), says)
    chosen = NewNode("Gather", ("pixels", "order"), concat.outputs, {"axis": 1}, name=concat.name)
    return Fix(
        (
            RemoveNodes((concat,)),
            integers("order", concat.graph, taken),
            InsertNodes(concat.graph, (pixels, chosen), concat),
        ),
        says,
    )


_PIXELS = [(0, 0), (0, 1), (1, 0), (1, 1)]
"""Rows and columns of a block's pixels, as SpaceToDepth orders them."""
_TO_THE_END = 1 << 30


def _strided(value: Value | None) -> tuple[Value, tuple[int, int]] | None:
    """Return what Slices take every second row and column of, and which of the two."""
    begins: dict[int, int] = {}
    while (node := made_by(value, "Slice")) is not None and len(begins) < 2:
        taken = _every_second(node)
        if taken is None or taken.keys() & begins.keys():
            return None
        begins |= taken
        value = node.input(0)
    if value is None or begins.keys() != {2, 3}:
        return None
    return value, (begins[2], begins[3])


def _every_second(node: Node) -> dict[int, int] | None:
    """Return where a Slice begins by axis, if it takes every second element to the end."""
    if not all(map(is_settled, node.inputs[1:])):
        return None
    starts, ends, axes, steps = (small_integers(node.input(place)) for place in range(1, 5))
    if not starts or not ends or not axes or not steps:
        return None
    source = node.input(0)
    shape = source.shape if source is not None and source.shape is not None else ()
    sizes = [shape[axis] if -len(shape) <= axis < len(shape) else None for axis in axes]
    limits = [size if isinstance(size, int) else _TO_THE_END for size in sizes]
    if any(end < limit for end, limit in zip(ends, limits, strict=True)):
        return None
    if any(step != 2 for step in steps) or any(start not in (0, 1) for start in starts):
        return None
    return {axis % 4: start for axis, start in zip(axes, starts, strict=True)}
