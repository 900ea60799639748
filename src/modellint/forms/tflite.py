"""Forms of TFLite's operators that compilers refuse, in words; an empty text if they may be taken.

Tables name each with `tflite`, and give its limits:

[[form]]
op = "RESIZE_BILINEAR"
tflite = "resize"
factors = [2, 4, 8]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from modellint.analysis.folding import folding
from modellint.formats.tflite.facts import Quantization, tflite_facts
from modellint.forms.facts import Facts
from modellint.model import Node, Value

Condition = Mapping[str, Any]
_QUANTIZED = frozenset({"int8", "uint8", "int16"})
"""Types that stand for real numbers only with a scale."""
_NONE = Quantization()


# Any node.


def open_beyond_batch(facts: Facts, node: Node, _: Condition) -> str:
    """Describe a dim that is open, other than the first one."""
    for value in _operands(node):
        shape = facts.shape(value)
        if shape is None or any(not isinstance(dim, int) for dim in shape[1:]):
            return f"a dim of '{value.name}' that is open"
    return ""


def hybrid(facts: Facts, node: Node, _: Condition) -> str:
    """Describe weights of integers for data of floats."""
    data, weight = node.input(0), node.input(1)
    types = [facts.dtype(each) if each is not None else None for each in (data, weight)]
    if types[0] is None or types[1] is None or not types[0].is_float or types[1].is_float:
        return ""
    return f"weights of {types[1].name} for {types[0].name}"


def unquantized(facts: Facts, node: Node, _: Condition) -> str:
    """Describe small integers without a scale."""
    for value in _operands(node):
        if _type_of(facts, value) in _QUANTIZED and not _scheme(facts, value).is_quantized:
            return f"{_type_of(facts, value)} without a scale ('{value.name}')"
    return ""


def scales_per_channel(facts: Facts, node: Node, _: Condition) -> str:
    """Describe scales per channel."""
    several = (value for value in _operands(node) if len(_scheme(facts, value).scales) > 1)
    found = next(several, None)
    return f"scales per channel, as in '{found.name}'" if found is not None else ""


def operand_rank(facts: Facts, node: Node, limits: Condition) -> str:
    """Describe a tensor of more dims than are supported."""
    for value in _operands(node):
        shape = facts.shape(value)
        if shape is not None and len(shape) > limits["highest"]:
            return f"a tensor of rank {len(shape)} ('{value.name}')"
    return ""


def computed_scalar(_: Facts, node: Node, __: Condition) -> str:
    """Describe an input without dims that is computed."""
    for value in node.inputs:
        if value is not None and value.declared_shape == () and not value.is_constant:
            return f"a computed scalar ('{value.name}')"
    return ""


def result_type(facts: Facts, node: Node, limits: Condition) -> str:
    """Describe a result of an unsupported type."""
    result = node.output()
    found = _type_of(facts, result) if result is not None else ""
    return f"a result of type {found}" if found and found not in limits["types"] else ""


def scale_ratio(facts: Facts, node: Node, limits: Condition) -> str:
    """Describe inputs whose scales, by the output's, are beyond what integers can express."""
    result = node.output()
    wanted = _scheme(facts, result).scales if result is not None else ()
    given = [_scheme(facts, value).scales for value in node.inputs if value is not None]
    if len(wanted) != 1 or wanted[0] <= 0 or any(len(each) != 1 for each in given):
        return ""
    scales = [each[0] for each in given]
    compared = [math.prod(scales)] if limits.get("product") else scales
    strange = [s for s in compared if not limits["least"] <= s / wanted[0] < limits["below"]]
    return f"scales {strange[0] / wanted[0]:.3g} times the result's" if strange else ""


def scales_differ(facts: Facts, node: Node, _: Condition) -> str:
    """Describe inputs that are quantized in another way than the output."""
    result = node.output()
    if result is None:
        return ""
    wanted = _scheme(facts, result).parameters
    for value in node.inputs:
        if value is None or _type_of(facts, value) not in _QUANTIZED:
            continue
        if _scheme(facts, value).parameters != wanted:
            return "an input and an output of different scales"
    return ""


# Windows.


def strided_padding(facts: Facts, node: Node, limits: Condition) -> str:
    """Describe a stride beyond a limit in a window that is padded or dilated."""
    strides, (size, dilation) = _strides(node), _window(facts, node)
    if strides is None or size is None or max(strides) <= limits["largest"]:
        return ""
    if max(dilation) == 1 and not any(_padding(facts, node, size)):
        return ""
    return f"strides of {strides[0]} x {strides[1]} and padding or dilation"


def pool_window(facts: Facts, node: Node, limits: Condition) -> str:
    """Describe a pooling whose window is beyond the limits, which depend on the padding."""
    height, width = node.get_int("filter_height", 1) or 1, node.get_int("filter_width", 1) or 1
    if node.attributes.get("padding") == "SAME" and "same" in limits:
        fits = max(height, width) <= limits["same"]
    else:
        fits = height <= limits["height"] and height * width <= limits["area"]
    return "" if fits else f"a window of {height} x {width}"


def transposed_strides(facts: Facts, node: Node, limits: Condition) -> str:
    """Describe a transposed convolution whose strides are neither equal nor along a row."""
    strides = _strides(node)
    data, weight = (_image(facts, node.input(place)) for place in (2, 1))
    if strides is None or strides[0] == strides[1] <= limits["largest"]:
        return ""
    across = 0 if strides[0] == 1 else 1
    is_row = data is not None and weight is not None and 1 == data[1 + across] == weight[1 + across]
    if strides[across] == 1 and max(strides) <= limits["largest"] and is_row:
        return ""
    return f"strides of {strides[0]} x {strides[1]}"


def _window(facts: Facts, node: Node) -> tuple[tuple[int, int] | None, tuple[int, int]]:
    """Return height and width of a window, and its dilations."""
    names = ("dilation_h_factor", "dilation_w_factor")
    dilation = tuple(node.get_int(name, 1) or 1 for name in names)
    height, width = node.get_int("filter_height"), node.get_int("filter_width")
    if height is not None and width is not None:
        return (height, width), (dilation[0], dilation[1])
    kernel = _image(facts, node.input(1))
    size = (kernel[1], kernel[2]) if kernel is not None else None
    return size, (dilation[0], dilation[1])


def _padding(facts: Facts, node: Node, size: tuple[int, int]) -> Iterator[int]:
    """Iterate over how many rows and columns a window is padded by."""
    before, after = _image(facts, node.input(0)), _image(facts, node.output())
    strides = _strides(node)
    if before is None or after is None or strides is None:
        return
    for axis in (0, 1) if node.attributes.get("padding") == "SAME" else ():
        needed = (after[axis + 1] - 1) * strides[axis] + size[axis]
        yield max(0, needed - before[axis + 1])


def _strides(node: Node) -> tuple[int, int] | None:
    height, width = node.get_int("stride_h"), node.get_int("stride_w")
    return (height, width) if height is not None and width is not None else None


# Other operators.


def resize(facts: Facts, node: Node, limits: Condition) -> str:
    """Describe a resize by factors that are not among those taken."""
    before, after = _image(facts, node.input(0)), _image(facts, node.output())
    if before is None or after is None:
        return ""
    if before[1:3] in ([1, 1], after[1:3]):
        return ""
    aligned = bool(node.get_int("align_corners", 0))
    factors = [_factor(before[axis], after[axis], aligned=aligned) for axis in (1, 2)]
    if factors[0] != factors[1]:
        one = [axis for axis in (0, 1) if after[axis + 1] == 1 and factors[axis] == 1]
        if one or limits.get("uneven"):
            factors = [factor for axis, factor in enumerate(factors) if axis not in one]
        else:
            return f"factors of {factors[0]:g} and {factors[1]:g}"
    key = "half-pixel-factors" if node.get_int("half_pixel_centers", 0) else "factors"
    taken = limits.get(key, limits.get("factors"))
    strange = [factor for factor in factors if taken is not None and factor not in taken]
    return f"a factor of {strange[0]:g}" if strange else ""


def _factor(before: int, after: int, *, aligned: bool) -> float:
    if aligned and before > 1 and after > 1:
        return (after - 1) / (before - 1)
    return after / max(before, 1)


def reduction(facts: Facts, node: Node, limits: Condition) -> str:
    """Describe a reduction over axes or sizes that are not taken."""
    dims, axes = _dims(facts, node.input(0)), _integers(facts, node.input(1))
    if dims is None or axes is None:
        return ""
    axes = [axis % len(dims) for axis in axes if -len(dims) <= axis < len(dims)]
    four = [*[1] * (4 - len(dims)), *dims]
    if math.prod(dims[:-3]) > 1:
        return f"a batch of {math.prod(dims[:-3])}"
    if len(dims) - 1 in axes and len(dims) > 2 and 1 not in four[-3:]:
        return "a reduction over the channels of several rows"
    longest = max((dims[axis] for axis in axes), default=1)
    if longest > limits["axis"]:
        return f"an axis of {longest}"
    count = math.prod(dims[axis] for axis in axes)
    data = node.input(0)
    most = limits["elements"].get(_type_of(facts, data) if data is not None else "", count)
    return f"{count} elements in each result" if count > most else ""


def plane(facts: Facts, node: Node, limits: Condition) -> str:
    """Describe data whose height and width together are beyond a limit."""
    dims = _dims(facts, node.input(0))
    if dims is None:
        return ""
    size = math.prod(dims[-3:-1])
    return f"{size} rows" if size > limits["largest"] else ""


def batch(facts: Facts, node: Node, _: Condition) -> str:
    """Describe a batch of more than one."""
    dims = _dims(facts, node.input(0))
    return f"a batch of {dims[0]}" if dims is not None and len(dims) == 4 and dims[0] > 1 else ""


def depth(facts: Facts, node: Node, limits: Condition) -> str:
    """Describe data whose last dim is beyond a limit."""
    dims = _dims(facts, node.input(0))
    return f"{dims[-1]} channels" if dims and dims[-1] > limits["largest"] else ""


def depth_multiplier(facts: Facts, node: Node, _: Condition) -> str:
    """Describe several results for each of several channels."""
    dims, factor = _dims(facts, node.input(0)), node.get_int("depth_multiplier", 1)
    return f"a depth multiplier of {factor}" if dims and dims[-1] != 1 != factor else ""


def both_broadcast(facts: Facts, node: Node, _: Condition) -> str:
    """Describe two inputs that are both spread over the other."""
    first, second = (_dims(facts, node.input(place)) for place in (0, 1))
    if first is None or second is None:
        return ""
    pairs = list(zip(reversed(first), reversed(second), strict=False))
    spread = any(a < b for a, b in pairs) and any(a > b for a, b in pairs)
    return "inputs that are both broadcast" if spread else ""


def last_axis(facts: Facts, node: Node, _: Condition) -> str:
    """Describe an axis other than the last."""
    dims, axes = _dims(facts, node.input(0)), _integers(facts, node.input(1))
    if dims is None or not axes or axes[0] in (-1, len(dims) - 1):
        return ""
    return f"axis {axes[0]} of {len(dims)}"


def slice_strides(facts: Facts, node: Node, _: Condition) -> str:
    """Describe strides that go backward, or along the batch or the channels."""
    strides, dims = _integers(facts, node.input(3)), _dims(facts, node.input(0))
    if strides is None or dims is None:
        return ""
    if min(strides, default=1) < 0:
        return "strides backward"
    inner = range(len(dims) - 3, len(dims) - 1)
    if any(stride > 1 and axis not in inner for axis, stride in enumerate(strides)):
        return "strides along the batch or the channels"
    return ""


def any_stride(facts: Facts, node: Node, _: Condition) -> str:
    """Describe strides other than 1."""
    strides = _integers(facts, node.input(3))
    return f"strides of {max(strides, key=abs)}" if strides and set(strides) != {1} else ""


def open_size(facts: Facts, node: Node, _: Condition) -> str:
    """Describe a slice up to the end of an axis, wherever that is."""
    sizes = _integers(facts, node.input(2))
    return "a size of -1" if sizes is not None and -1 in sizes else ""


def strided_pixel(_: Facts, node: Node, __: Condition) -> str:
    """Describe a pooling that takes single pixels out."""
    window = node.get_int("filter_height"), node.get_int("filter_width")
    strides = _strides(node)
    return "a window of 1 x 1" if window == (1, 1) and strides not in (None, (1, 1)) else ""


def operand_count(_: Facts, node: Node, limits: Condition) -> str:
    """Describe an unsupported number of inputs or outputs."""
    for side, values in (("inputs", node.inputs), ("outputs", node.outputs)):
        low, high = limits.get(side, (0, len(values)))
        if not low <= len(values) <= high:
            return f"{len(values)} {side}"
    return ""


def requantized(facts: Facts, node: Node, _: Condition) -> str:
    """Describe a change from one type of integers to another."""
    data, result = node.input(0), node.output()
    before, after = (_type_of(facts, each) if each is not None else "" for each in (data, result))
    if before not in _QUANTIZED or after not in _QUANTIZED or before == after:
        return ""
    return f"{before} to be {after}"


def permutation(facts: Facts, node: Node, limits: Condition) -> str:
    """Describe an unsupported transposition of a type for which only a few are supported."""
    data, order = node.input(0), _integers(facts, node.input(1))
    if data is None or order is None or _type_of(facts, data) not in limits["types"]:
        return ""
    kept = list(range(4 - len(order))) + [each + 4 - len(order) for each in order]
    return "" if kept in limits["only"] else f"the order {' '.join(map(str, order))}"


def gathered_axis(_: Facts, node: Node, __: Condition) -> str:
    """Describe a gather along another axis than the first after its batch dims."""
    axis, batch = node.get_int("axis", 0), node.get_int("batch_dims", 0)
    return "" if axis == batch else f"axis {axis} after {batch} batch dims"


def scalar_inputs(facts: Facts, node: Node, _: Condition) -> str:
    """Describe inputs without dims."""
    return "scalars" if any(facts.shape(value) == () for value in filter(None, node.inputs)) else ""


def scalar_result(facts: Facts, node: Node, _: Condition) -> str:
    """Describe a result without dims."""
    result = node.output()
    return "a scalar result" if result is not None and facts.shape(result) == () else ""


def _operands(node: Node) -> Iterator[Value]:
    yield from (value for value in (*node.inputs, *node.outputs) if value is not None)


def _type_of(facts: Facts, value: Value) -> str:
    dtype = facts.dtype(value)
    return dtype.name if dtype is not None else ""


def _scheme(facts: Facts, value: Value) -> Quantization:
    return tflite_facts(facts.model).quantization.get(value, _NONE)


def _dims(facts: Facts, value: Value | None) -> list[int] | None:
    """Return the shape, whose open batch counts as 1; None if another dim is open."""
    shape = facts.shape(value) if value is not None else None
    if shape is None:
        return None
    first = [dim if isinstance(dim, int) else 1 for dim in shape[:1]]
    rest = [dim for dim in shape[1:] if isinstance(dim, int)]
    return first + rest if len(rest) == len(shape[1:]) else None


def _image(facts: Facts, value: Value | None) -> list[int] | None:
    """Return the shape of four dims."""
    dims = _dims(facts, value)
    return dims if dims is not None and len(dims) == 4 else None


def _integers(facts: Facts, value: Value | None) -> list[int] | None:
    return facts.analysis(folding).integers(value) if value is not None else None


OF_NODE: Mapping[str, Callable[[Facts, Node, Condition], str]] = {
    "any-stride": any_stride,
    "batch": batch,
    "both-broadcast": both_broadcast,
    "computed-scalar": computed_scalar,
    "depth": depth,
    "depth-multiplier": depth_multiplier,
    "gathered-axis": gathered_axis,
    "hybrid": hybrid,
    "last-axis": last_axis,
    "open-beyond-batch": open_beyond_batch,
    "operand-rank": operand_rank,
    "open-size": open_size,
    "operand-count": operand_count,
    "permutation": permutation,
    "plane": plane,
    "pool-window": pool_window,
    "reduction": reduction,
    "requantized": requantized,
    "resize": resize,
    "result-type": result_type,
    "scalar-inputs": scalar_inputs,
    "scalar-result": scalar_result,
    "scale-ratio": scale_ratio,
    "scales-differ": scales_differ,
    "scales-per-channel": scales_per_channel,
    "slice-strides": slice_strides,
    "strided-padding": strided_padding,
    "strided-pixel": strided_pixel,
    "transposed-strides": transposed_strides,
    "unquantized": unquantized,
}
"""Forms by the name that tables give them."""
