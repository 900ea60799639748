"""Operators that move, pick or repeat elements, and einsum."""

from __future__ import annotations

from collections.abc import Mapping

from modellint.formats.meanings import meanings
from modellint.formats.torch.aten.arguments import AtenArguments
from modellint.formats.torch.aten.stated import (
    LAST,
    Meaning,
    Stated,
    axis_of,
    rank_of,
    same_types,
    static_shape,
)
from modellint.model import Attribute, Value


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
    rank = rank_of(data)
    if rank is None or order is None or len(order) != rank:
        return None
    return (data,), {"perm": tuple(axis % max(rank, 1) for axis in order)}


def _swap(given: AtenArguments) -> Stated | None:
    data = given.tensor("self")
    rank = rank_of(data)
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
    shape = static_shape(given.result)
    if shape is None:
        return None
    return (given.tensor("self"), given.constant("size", shape, "int64")), {}


def _cat(given: AtenArguments) -> Stated | None:
    values = given.tensors("tensors")
    axis = given.integer("dim", 0)
    if not values or axis is None or not same_types(*values):
        return None
    if any(rank_of(value) != rank_of(values[0]) for value in values):
        return None
    return values, {"axis": axis}


def _embedding(given: AtenArguments) -> Stated:
    return given.present("weight", "indices"), {"axis": 0}


def _index_select(given: AtenArguments) -> Stated | None:
    axis = axis_of(given, "dim", given.tensor("self"))
    index = given.tensor("index")
    if axis is None or rank_of(index) != 1:
        return None
    return (given.tensor("self"), index), {"axis": axis}


def _gather(given: AtenArguments) -> Stated | None:
    axis = axis_of(given, "dim", given.tensor("self"))
    return (given.present("self", "index"), {"axis": axis}) if axis is not None else None


def _select(given: AtenArguments) -> Stated | None:
    axis, index = axis_of(given, "dim", given.tensor("self")), given.integer("index")
    if axis is None or index is None:
        return None
    return (given.tensor("self"), given.constant("index", index, "int64")), {"axis": axis}


def _slice(given: AtenArguments) -> Stated | None:
    axis = axis_of(given, "dim", given.tensor("self")) if "dim" in given else 0
    start, end = given.integer("start", 0), given.integer("end", LAST)
    step = given.integer("step", 1)
    if axis is None or start is None or end is None or step is None:
        return None
    names = {"start": start, "end": end, "dim": axis, "step": step}
    constants = [given.constant(name, (number,), "int64") for name, number in names.items()]
    return (given.tensor("self"), *constants), {}


def _split(given: AtenArguments) -> Stated | None:
    data = given.tensor("self")
    axis = axis_of(given, "dim", data) if "dim" in given else 0
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
    if counts is None or len(counts) != rank_of(data):
        return None
    return (data, given.constant("repeats", counts, "int64")), {}


_PAD_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}


def _pad(given: AtenArguments) -> Stated | None:
    data, pads = given.tensor("self"), given.ints("pad")
    rank, mode = rank_of(data), _PAD_MODES.get(str(given.argument("mode", "constant")))
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
    shape = static_shape(given.result)
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


_BY_NAME: Mapping[str, Meaning] = {
    "cat": _cat,
    "einsum": _einsum,
    "embedding": _embedding,
    "expand": _expand,
    "gather": _gather,
    "index-select": _index_select,
    "pad": _pad,
    "permute": _permute,
    "repeat": _repeat,
    "reshape": _reshape,
    "select": _select,
    "slice": _slice,
    "split": _split,
    "squeeze": _squeeze,
    "swap": _swap,
    "unsqueeze": _unsqueeze,
    "upsample": _upsample,
}
MEANINGS: Mapping[str, Meaning] = meanings(
    """
cat: cat concat
einsum: einsum
embedding: embedding
expand: expand expand_as
gather: gather
index-select: index_select
pad: pad constant_pad_nd
permute: permute
repeat: repeat
reshape: view reshape _unsafe_view flatten unflatten reshape_as view_as
select: select
slice: slice
split: split split_with_sizes chunk
squeeze: squeeze
swap: transpose swapaxes t
unsqueeze: unsqueeze
upsample: upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d
    upsample_bilinear2d upsample_trilinear3d upsample_bicubic2d
""",
    _BY_NAME,
)
