"""Inputs of a node that do not fit each other, in words; an empty text if they may fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from modellint.analysis.folding import folding
from modellint.forms.facts import Facts
from modellint.model import Node, Value, is_static, product

BLOCKED_DIMS = 2
"""Dims, from the last one back, that can be quantized in blocks."""


def volume(facts: Facts, node: Node, shape: Value, data: Value) -> str:
    """Describe a Reshape to another number of elements."""
    dims = _dims(facts, data)
    sizes = facts.analysis(folding).integers(shape) if dims is not None else None
    if dims is None or not sizes:
        return ""
    if not node.get_int("allowzero", 0):
        copied = dims + [0] * len(sizes)
        sizes = [size or copied[place] for place, size in enumerate(sizes)]
    have, want = product(dims), product(size for size in sizes if size != -1)
    fits = want == have if -1 not in sizes else want > 0 and have % want == 0
    return "" if fits else f"{have} elements and a shape of {want}"


def channels(facts: Facts, _: Node, scale: Value, data: Value) -> str:
    """Describe a normalization with another number of scales than channels."""
    scales, dims = _dims(facts, scale), facts.shape(data)
    found = dims[1] if dims is not None and len(dims) > 1 else None
    if scales is None or len(scales) != 1 or not isinstance(found, int) or found == scales[0]:
        return ""
    if found == 1 and not facts.is_frozen(scale):
        return ""  # broadcast
    return f"{scales[0]} scales for {found} channels"


def group_channels(facts: Facts, node: Node, weight: Value, data: Value) -> str:
    """Describe a convolution whose weight is for another number of channels."""
    kernel, dims, groups = facts.shape(weight), facts.shape(data), node.get_int("group", 1)
    if kernel is None or dims is None or groups is None or len(kernel) < 3 or len(dims) < 3:
        return ""
    each, found = kernel[1], dims[1]
    if not isinstance(each, int) or not isinstance(found, int) or each * groups == found:
        return ""
    return f"a weight for {each * groups} channels on {found}"


def enlarged(facts: Facts, node: Node, most: int) -> str:
    """Describe a resize by other factors than whole numbers up to a limit."""
    source, result = node.input(0), node.output()
    before = _dims(facts, source) if source is not None else None
    after = _dims(facts, result) if result is not None else None
    if before is None or after is None or 0 in before:
        return ""
    for old, new in zip(before, after, strict=False):
        if new % old or new // old > most:
            return f"a dim enlarged from {old} to {new}"
    return ""


def zero_points(facts: Facts, _: Node, zero: Value, scale: Value) -> str:
    """Describe zero points that are not as many as the scales."""
    zeros, scales = _dims(facts, zero), _dims(facts, scale)
    if zeros is None or scales is None or product(zeros) == product(scales):
        return ""
    return f"{product(zeros)} zero points for {product(scales)} scales"


def scales(facts: Facts, node: Node, scale: Value, data: Value) -> str:
    """Describe scales per channel or block that do not divide the data as TensorRT requires."""
    parts, dims, axis = _dims(facts, scale), _dims(facts, data), node.get_int("axis", 1)
    if parts is None or dims is None or axis is None or product(parts) <= 1:
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


def broadcast(facts: Facts, _: Node, small: Value, data: Value) -> str:
    """Describe an input that does not broadcast to another one."""
    dims, wanted = facts.shape(small), facts.shape(data)
    if dims is None or wanted is None:
        return ""
    if len(dims) > len(wanted):
        return f"an input of rank {len(dims)} for data of rank {len(wanted)}"
    for dim, other in zip(reversed(dims), reversed(wanted), strict=False):
        if isinstance(dim, int) and isinstance(other, int) and dim not in (1, other):
            return f"an input of {dim} elements along a dim of {other}"
    return ""


def _dims(facts: Facts, value: Value) -> list[int] | None:
    """Return the shape if all of it is known."""
    shape = facts.shape(value)
    return [dim for dim in shape if isinstance(dim, int)] if shape and is_static(shape) else None


# A node as a whole.


def equation(facts: Facts, node: Node) -> str:
    """Describe an Einsum whose equation is malformed, or not about its inputs."""
    text = node.get_str("equation")
    if text is None:
        return ""
    left, _, right = text.replace(" ", "").partition("->")
    terms = left.split(",")
    if set(right) & set(",->") - {"."}:
        return "several outputs in its equation"
    if len(terms) != len(node.inputs):
        return f"{len(terms)} terms for {len(node.inputs)} inputs in its equation"
    labels = right.replace("...", "")
    if unread := unread_labels(facts, node):
        return unread
    if len(set(labels)) < len(labels):
        return "a label twice in the output of its equation"
    return _terms(facts, node, terms)


def unread_labels(_: Facts, node: Node) -> str:
    """Describe an Einsum whose output has labels that no input has."""
    left, right = (node.get_str("equation") or "").replace(" ", "").partition("->")[::2]
    unread = sorted(set(right) - set(left) - {"."})
    return f"{', '.join(unread)} only in the output of its equation" if unread else ""


def _terms(facts: Facts, node: Node, terms: list[str]) -> str:
    sizes: dict[str, int] = {}
    for term, value in zip(terms, node.inputs, strict=True):
        shape = facts.shape(value) if value is not None else None
        if shape is None:
            continue
        labels = term.replace("...", "")
        if len(labels) > len(shape) or ("..." not in term and len(labels) != len(shape)):
            return f"the term {term} for an input of rank {len(shape)}"
        for label, dim in zip(labels, shape, strict=False) if labels == term else ():
            if isinstance(dim, int) and sizes.setdefault(label, dim) != dim:
                if 1 not in (dim, sizes[label]):
                    return f"{label} of both {sizes[label]} and {dim} in its equation"
                sizes[label] = max(dim, sizes[label])
    return ""


def axis(facts: Facts, node: Node) -> str:
    """Describe an axis beyond the rank of the data."""
    data = node.input(0)
    shape = facts.shape(data) if data is not None else None
    if shape is None:
        return ""
    for name in ("axis", "axes", "batch_axis", "time_axis"):
        value = node.attributes.get(name)
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, int) and not -len(shape) <= each < len(shape):
                return f"{name} {each} for an input of rank {len(shape)}"
    return ""


def gathered(facts: Facts, node: Node) -> str:
    """Describe a GatherElements whose data and indices differ along another axis than its own."""
    values = (node.input(0), node.input(1))
    data, indices = (facts.shape(value) if value is not None else None for value in values)
    if data is None or indices is None:
        return ""
    axis = node.get_int("axis", 0) or 0
    for place, (one, other) in enumerate(zip(data, indices, strict=False)):
        is_fixed = place != axis % len(data)
        if is_fixed and isinstance(one, int) and isinstance(other, int) and one != other:
            return f"indices for {other} of {one} items along axis {place}"
    return ""


def sequence(_: Facts, node: Node) -> str:
    """Describe a ReverseSequence whose batch and time are the same axis."""
    batch, time = node.get_int("batch_axis", 1), node.get_int("time_axis", 0)
    return f"batch_axis and time_axis {batch}" if batch == time else ""


def groups(facts: Facts, node: Node) -> str:
    """Describe a number of groups that does not divide the channels."""
    data, number = node.input(0), node.get_int("num_groups")
    shape = facts.shape(data) if data is not None else None
    found = shape[1] if shape is not None and len(shape) > 1 else None
    if number is None or not isinstance(found, int) or (number > 0 and found % number == 0):
        return ""
    return f"{number} groups for {found} channels"


def depth_blocks(facts: Facts, node: Node) -> str:
    """Describe a block size whose square does not divide the channels."""
    size = node.get_int("blocksize", 0) or 0
    return _undivided(facts, node, (1,), size, size * size)


def space_blocks(facts: Facts, node: Node) -> str:
    """Describe a block size that does not divide height and width."""
    size = node.get_int("blocksize", 0) or 0
    return _undivided(facts, node, (2, 3), size, size)


def _undivided(facts: Facts, node: Node, places: tuple[int, ...], size: int, divisor: int) -> str:
    data = node.input(0)
    dims = _dims(facts, data) if data is not None else None
    if dims is None or size < 1 or len(dims) != 4:
        return ""
    left = [dims[place] for place in places if dims[place] % divisor]
    return f"blocks of {size} and a dim of {left[0]}" if left else ""


def pads(facts: Facts, node: Node) -> str:
    """Describe a Pad with other than two numbers for each axis."""
    given, data, axes = node.input(1), node.input(0), node.input(3)
    numbers = _length(facts, given) if given is not None else None
    if axes is not None:
        wanted = _length(facts, axes)
    else:
        shape = facts.shape(data) if data is not None else None
        wanted = len(shape) if shape is not None else None
    if numbers is None or wanted is None or numbers == 2 * wanted:
        return ""
    return f"{numbers} pads for {wanted} axes"


def bounds(facts: Facts, node: Node) -> str:
    """Describe a Slice with starts, ends, axes and steps of different lengths."""
    lengths = [_length(facts, value) for value in node.inputs[1:] if value is not None]
    known = sorted({length for length in lengths if length is not None})
    if len(known) > 1:
        return f"starts, ends, axes and steps of {known[0]} and {known[-1]} items"
    data = node.input(0)
    shape = facts.shape(data) if data is not None else None
    if known and node.input(3) is None and shape is not None and known[0] != len(shape):
        return f"{known[0]} starts, no axes and an input of rank {len(shape)}"
    return ""


def outputs(_: Facts, node: Node) -> str:
    """Describe a Split whose num_outputs is not the number of its outputs."""
    number = node.get_int("num_outputs")
    if number is None or number == len(node.outputs):
        return ""
    return f"num_outputs {number} and {len(node.outputs)} outputs"


def scanned_lists(_: Facts, node: Node) -> str:
    """Describe a Scan with other than one direction and axis for each thing that is scanned."""
    for side, number in zip(("input", "output"), _scanned(node), strict=True):
        for kind in ("directions", "axes"):
            values = node.get_ints(f"scan_{side}_{kind}")
            if values is not None and number is not None and len(values) != number:
                return f"{len(values)} scan_{side}_{kind} for {number} scanned {side}s"
            if values is not None and kind == "directions" and set(values) - {0, 1}:
                return f"scan_{side}_{kind} other than 0 and 1"
    return ""


def scanned_axes(facts: Facts, node: Node) -> str:
    """Describe a Scan along an axis that the scanned value does not have."""
    read, written = _scanned(node)
    body = node.subgraphs.get("body")
    if not read or not written or body is None:
        return ""
    sides = (("input", node.inputs[-read:], 0), ("output", tuple(body.outputs)[-written:], 1))
    for side, values, added in sides:
        for value, each in zip(values, node.get_ints(f"scan_{side}_axes") or (), strict=False):
            shape = facts.shape(value) if value is not None else None
            if shape is not None and not -len(shape) - added <= each < len(shape) + added:
                return f"scan_{side}_axes {each} and dims of rank {len(shape) + added}"
    return ""


def scanned_ranks(facts: Facts, node: Node) -> str:
    """Describe a Scan whose body states another rank for a slice of what is scanned."""
    read, _ = _scanned(node)
    body = node.subgraphs.get("body")
    if not read or body is None:
        return ""
    for value, inner in zip(node.inputs[-read:], body.inputs[-read:], strict=False):
        shape = facts.shape(value) if value is not None else None
        stated = inner.declared_shape
        sliced = len(shape or ()) - 1  # or one less, for opset 8 has a batch
        if shape and stated is not None and len(stated) not in (sliced, sliced - 1):
            return f"slices of rank {sliced} and a body that reads rank {len(stated)}"
    return ""


def _scanned(node: Node) -> tuple[int | None, int | None]:
    """Return how many inputs and outputs of a Scan are scanned; the others are its state."""
    read = node.get_int("num_scan_inputs")
    return read, None if read is None else len(node.outputs) - (len(node.inputs) - read)


def labels(facts: Facts, node: Node) -> str:
    """Describe a loss with other labels than one for each item that is classified."""
    scores, targets = (
        facts.shape(value) if value is not None else None
        for value in (node.input(0), node.input(1))
    )
    if scores is None or targets is None or len(scores) < 2:
        return ""
    items = (scores[0], *scores[2:])
    pairs = [
        (one, other)
        for one, other in zip(items, targets, strict=False)
        if isinstance(one, int) and isinstance(other, int)
    ]
    if len(items) == len(targets) and all(one == other for one, other in pairs):
        return ""
    return "labels of another shape than the items of its scores"


def split_heads(facts: Facts, node: Node) -> str:
    """Describe an attention whose stored weights are not for a whole number per head."""
    weights, number = node.input(1), node.get_int("num_heads", 0)
    shape = facts.shape(weights) if weights is not None and weights.is_constant else None
    if not shape or not number or node.get_ints("qkv_hidden_sizes"):
        return ""
    hidden = shape[-1] // 3 if isinstance(shape[-1], int) else 0
    return f"{hidden} channels for {number} heads" if hidden % number else ""


def heads(facts: Facts, node: Node) -> str:
    """Describe an attention whose keys and values have different shapes."""
    shapes = [facts.shape(value) for value in node.inputs[:3] if value is not None]
    if len(shapes) < 3 or None in shapes:
        return ""
    query, key, value = ([dim if isinstance(dim, int) else None for dim in s or ()] for s in shapes)
    if len({len(query), len(key), len(value)}) > 1:
        return "a query, key and value of different ranks"
    pairs = zip(key, value, strict=True)
    return "a key and a value of different shapes" if any(_differ(*pair) for pair in pairs) else ""


def _differ(first: int | None, second: int | None) -> bool:
    return first is not None and second is not None and first != second


def _length(facts: Facts, value: Value) -> int | None:
    """Return the number of items of a list, if it is known; a single number is a list of one."""
    shape = facts.shape(value)
    if shape is None or len(shape) > 1:
        return None
    first = shape[0] if shape else 1
    return first if isinstance(first, int) else None


OF_NODE: Mapping[str, Callable[[Facts, Node], str]] = {
    "axis": axis,
    "depth-blocks": depth_blocks,
    "bounds": bounds,
    "equation": equation,
    "gathered": gathered,
    "groups": groups,
    "heads": heads,
    "labels": labels,
    "outputs": outputs,
    "pads": pads,
    "scanned-axes": scanned_axes,
    "scanned-ranks": scanned_ranks,
    "split-heads": split_heads,
    "unread-labels": unread_labels,
    "scanned-lists": scanned_lists,
    "sequence": sequence,
    "space-blocks": space_blocks,
}
"""Misfits of a node as a whole, by the name that tables give them."""
