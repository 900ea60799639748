"""Leftovers of training and calibration, replaced by their meaning, or dropped."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from modellint.analysis.fusion import number, operands
from modellint.analysis.quantization import Converter, QuantizationMap, root_of
from modellint.base.text import counted
from modellint.checks.api import Context, Hit
from modellint.fixes.building import instead, main_opset
from modellint.fixes.compat import once_raised
from modellint.fixes.conditions import is_droppable, is_settled
from modellint.fixes.quantization_pairs import all_places
from modellint.model import DTYPES, DType, Node, Value
from modellint.model.edits import (
    AddTensor,
    EditError,
    Fix,
    GraphEdit,
    NewNode,
    RemoveNodes,
    RemoveOutput,
    RemoveTensor,
    Replace,
    SetInput,
    SetOperator,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STEP = 0.02
"""Largest change by rounding half a step otherwise, relative to the largest element."""
_FIRST = 10
"""The operator set with QuantizeLinear."""
_FLOAT = DTYPES["float32"]
_RANGES = {(-128.0, 127.0): "int8", (-127.0, 127.0): "int8", (0.0, 255.0): "uint8"}
"""Bounds of steps from zero, and the types that they are those of."""
_TENSORRT = {
    "TRT_FP8QuantizeLinear": ("QuantizeLinear", "float8e4m3fn", 19),
    "TRT_FP8DequantizeLinear": ("DequantizeLinear", "float8e4m3fn", 19),
    "TRT_INT8QuantizeLinear": ("QuantizeLinear", "int8", _FIRST),
    "TRT_INT8DequantizeLinear": ("DequantizeLinear", "int8", _FIRST),
}
"""Operators of ONNX for those of TensorRT, with their type and the first operator set."""
_FIRST_PER_CHANNEL = 13


def store_quantized(context: Context, hit: Hit) -> Fix | None:
    """Store weights as a Q would quantize them."""
    quantization = context.analysis(QuantizationMap)
    edits: list[GraphEdit] = []
    count = 0
    for node in all_places(hit):
        found = quantization.converter(node)
        more = _stored(found) if found is not None and main_opset(context, node.graph) else []
        count += bool(more)
        edits += more
    if not edits:
        return None
    return Fix(tuple(edits), f"Stores {count} weights quantized.")


def _stored(quantizer: Converter) -> list[GraphEdit]:
    source, scheme, dtype = quantizer.source, quantizer.scheme, quantizer.scheme.dtype
    tensor = source.tensor
    scales = scheme.scales
    if tensor is None or dtype is None or dtype.name not in ("int8", "uint8") or scales is None:
        return []
    if tensor.dtype is not _FLOAT or scales.dtype.name != "float32" or not is_settled(source):
        return []
    if scheme.granularity == "block" or quantizer.output.is_output or quantizer.node.domain:
        return []
    if scheme.zero_point is not None and scheme.zero_points is None:
        return []
    if not scheme.is_per_tensor and scales.size != tensor.shape[scheme.axis % len(tensor.shape)]:
        return []
    name = f"{source.name}_{dtype.name}"
    return [
        AddTensor(name, source.graph, dtype, tensor.shape, partial(_quantized, quantizer, dtype)),
        Replace(quantizer.output, name),
        RemoveNodes((quantizer.node,)),
    ]


def _quantized(quantizer: Converter, dtype: DType) -> NDArray[Any]:
    import numpy as np

    tensor, scheme = quantizer.source.tensor, quantizer.scheme
    stored = tensor.numpy() if tensor is not None else None
    scales, points = scheme.scales, scheme.zero_points
    if stored is None or scales is None:
        raise EditError(f"the elements of '{quantizer.source.name}' cannot be read")
    sizes = [1] * stored.ndim
    if scales.size > 1:
        sizes[scheme.axis % stored.ndim] = -1
    steps = np.rint(stored / scales.reshape(sizes))
    if points is not None:
        steps = steps + points.astype("float32").reshape(sizes if points.size > 1 else ())
    limits = np.iinfo(dtype.numpy)
    made: NDArray[Any] = np.clip(steps, limits.min, limits.max).astype(dtype.numpy)
    return made


def use_pair(context: Context, hit: Hit) -> Fix | None:
    """Replace scaling, rounding, clipping and scaling back by Q and DQ."""
    edits: list[GraphEdit] = []
    count = 0
    for node in all_places(hit):
        more = _pair(node) if main_opset(context, node.graph) >= _FIRST else []
        count += bool(more)
        edits += more
    if not edits:
        return None
    return Fix(tuple(edits), f"Replaces {count} roundings by Q and DQ.", tolerance=_STEP)


def _pair(rounding: Node) -> list[GraphEdit]:
    """Return the edits of one rounding to steps around zero; none if it is not plain."""
    scaled = rounding.input(0)
    before, rounded = scaled.producer if scaled is not None else None, rounding.output()
    clip = rounded.sole_consumer if rounded is not None else None
    clipped = clip.output() if clip is not None else None
    after = clipped.sole_consumer if clipped is not None else None
    if before is None or clip is None or after is None or clip.op_type != "Clip":
        return []
    first, last = _factor(before), _factor(after, of=clipped)
    low, high = number(clip.input(1)), number(clip.input(2))
    if low is None and high is None and len(clip.inputs) == 1:
        low, high = clip.get_float("min"), clip.get_float("max")
    result = after.output()
    if first is None or last is None or low is None or high is None or result is None:
        return []
    source, dtype = first[0], _RANGES.get((low, high))
    scale = last[1]
    is_inverse = abs(first[1] * scale - 1) < 1e-5
    if dtype is None or source.dtype is not _FLOAT or not is_inverse or not scale > 0:
        return []
    names = f"{result.name}_scale", f"{result.name}_zero", f"{result.name}_quantized"
    made = (
        NewNode("QuantizeLinear", (source, *names[:2]), names[2:], name=names[2]),
        NewNode("DequantizeLinear", (names[2], *names[:2]), (result,), name=after.name),
    )
    return [
        AddTensor(names[0], rounding.graph, _FLOAT, (), partial(_scalar, scale, "float32")),
        AddTensor(names[1], rounding.graph, DTYPES[dtype], (), partial(_scalar, 0, dtype)),
        *instead((before, rounding, clip), after, *made),
    ]


def _factor(node: Node, of: Value | None = None) -> tuple[Value, float] | None:
    """Return the value that a node multiplies, and the factor."""
    for value, other in operands(node):
        factor = number(other)
        if factor is None or not is_settled(other) or (of is not None and value is not of):
            continue
        if node.op_type == "Mul":
            return value, factor
        if node.op_type == "Div" and node.input(1) is other and factor:
            return value, 1 / factor
    return None


def _scalar(value: float, dtype: str) -> NDArray[Any]:
    import numpy as np

    return np.array(value, dtype)


def drop_watched(context: Context, hit: Hit) -> Fix | None:
    """Return no ranges of activations."""
    watching = [
        (output, node)
        for output in context.model.outputs
        if (node := root_of(output).producer) is not None
        and node.op_type in ("ReduceMin", "ReduceMax")
        and main_opset(context, node.graph)
    ]
    removed: dict[int, Node] = {}
    for output, node in watching:
        for each in (output.producer, node):
            made = each.output() if each is not None else None
            if each is not None and made is not None and not _is_read_by_others(made, watching):
                removed[id(each)] = each
    says = f"Drops {len(watching)} calibration outputs."
    edits: tuple[GraphEdit, ...] = (
        *(RemoveOutput(output) for output, _ in watching),
        RemoveNodes(tuple(removed.values())),
    )
    wanted = context.choices.get("calibration-outputs") == "drop"
    return Fix(
        edits if wanted else (), says, option="calibration-outputs=drop", changes_interface=True
    )


def _is_read_by_others(value: Value, watching: list[tuple[Value, Node]]) -> bool:
    """Return True if anything but the making of the watched outputs reads a value."""
    makers = {id(output.producer) for output, _ in watching}
    return any(id(use.node) not in makers for use in value.consumers)


def drop_buffers(context: Context, hit: Hit) -> Fix | None:
    """Drop the buffers of observers that nothing reads."""
    names = hit.facts.get("names")
    stated = frozenset(names) if isinstance(names, list) else frozenset()
    idle = [
        value
        for graph in context.graphs()
        for value in graph.initializers
        if value.name in stated
        and not value.consumers
        and not value.is_output
        and is_droppable(value)
    ]
    if not idle:
        return None
    return Fix(tuple(map(RemoveTensor, idle)), f"Drops {len(idle)} observer buffers.")


def use_standard_operators(context: Context, hit: Hit) -> Fix | None:
    """Replace TensorRT's operators for 8 bits by those of ONNX."""
    edits: list[GraphEdit] = []
    count, since = 0, _FIRST
    for node in all_places(hit):
        kinds = _TENSORRT.get(node.op_type)
        scale = node.input(1)
        if kinds is None or scale is None or not main_opset(context, node.graph):
            continue
        op_type, dtype, first = kinds
        size = scale.shape
        if size is None or any(not isinstance(dim, int) for dim in size) or node.input(2):
            continue
        name = f"{scale.name}_zero_{count}"
        shape = tuple(dim for dim in size if isinstance(dim, int))
        edits += [
            AddTensor(name, node.graph, DTYPES[dtype], shape, partial(_zeros, shape, dtype)),
            SetOperator(node, op_type),
            SetInput(node, 2, name),
        ]
        count, since = count + 1, max(since, first)
    if not edits:
        return None
    fix = Fix(tuple(edits), f"Replaces {counted(count, 'operator')} of TensorRT by those of ONNX.")
    return once_raised(context, context.model.graph, since, fix)


def _zeros(shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    import numpy as np

    return np.zeros(shape, DTYPES[dtype].numpy)


def use_quantizers(context: Context, hit: Hit) -> Fix | None:
    """Replace PyTorch's fake quantization by Q and DQ, if its parameters are stored."""
    edits: list[GraphEdit] = []
    count, since = 0, _FIRST
    for node in all_places(hit):
        name = node.op_type.removeprefix("aten::")
        by_channel = name == "fake_quantize_per_channel_affine"
        if name != "fake_quantize_per_tensor_affine" and not by_channel:
            continue
        more = _converted(node, by_channel) if main_opset(context, node.graph) else []
        count, edits = count + bool(more), edits + more
        since = max(since, _FIRST_PER_CHANNEL) if more and by_channel else since
    if not edits:
        return None
    says = f"Replaces {counted(count, 'fake quantizer')} by Q and DQ."
    fix = Fix(tuple(edits), says, tolerance=_STEP)  # PyTorch multiplies by 1 / scale: ties differ
    return once_raised(context, context.model.graph, since, fix)


def _converted(node: Node, by_channel: bool) -> list[GraphEdit]:
    source, scale, zero, *bounds = (node.input(at) for at in range(6))
    axis = number(bounds[0]) if by_channel else None
    low, high = (number(each) for each in bounds[1 if by_channel else 0 :][:2])
    stored = zero.tensor.if_small() if zero is not None and zero.tensor is not None else None
    result = node.output()
    if source is None or scale is None or result is None or low is None or high is None:
        return []
    dtype = _RANGES.get((low, high)) if low != -127.0 else None
    if dtype is None or stored is None or not all(map(is_settled, (zero, *bounds[:2]))):
        return []
    steps = stored.astype("float64")
    if (by_channel and axis is None) or (steps < low).any() or (steps > high).any():
        return []
    shape = tuple(stored.shape) if by_channel else ()
    point, quantized = f"{result.name}_zero", f"{result.name}_quantized"
    where = {"axis": int(axis)} if axis is not None else {}
    elements = stored.astype(dtype).reshape(shape)
    made = (
        NewNode("QuantizeLinear", (source, scale, point), (quantized,), where, name=quantized),
        NewNode("DequantizeLinear", (quantized, scale, point), (result,), where, name=node.name),
    )
    return [
        AddTensor(point, node.graph, DTYPES[dtype], shape, elements.copy),
        *instead((), node, *made),
    ]
