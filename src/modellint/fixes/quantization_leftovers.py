"""Leftovers of training and calibration, replaced by what they stand for, or dropped."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from modellint.analysis.fusion import number, operands
from modellint.analysis.quantization import Converter, QuantizationMap, root_of
from modellint.checks.api import Context, Hit
from modellint.fixes.building import instead, main_opset
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


def store_quantized(context: Context, hit: Hit) -> Fix | None:
    """Store weights as what a Q makes of them."""
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
    return Fix(tuple(edits), f"Stores {count} weights as their quantizers return them.")


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
    """Return what a node multiplies, and by how much."""
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
    says = f"Drops {len(watching)} outputs of a calibration."
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
    return Fix(tuple(map(RemoveTensor, idle)), f"Drops {len(idle)} buffers of observers.")
