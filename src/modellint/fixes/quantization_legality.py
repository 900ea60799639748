"""Types and zero points that TensorRT refuses, where others mean exactly the same."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from modellint.analysis.quantization import Converter, QuantizationMap
from modellint.checks.api import Context, Hit
from modellint.fixes.building import main_opset, reading
from modellint.fixes.conditions import is_settled
from modellint.fixes.quantization_pairs import all_places
from modellint.model import DTYPES, Value
from modellint.model.edits import (
    AddTensor,
    EditError,
    Fix,
    GraphEdit,
    RemoveNodes,
    Replace,
    SetInput,
    SetType,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MIDDLE = 128
"""The zero point of uint8 that is zero in int8."""
_INT8, _UINT8, _FLOAT = DTYPES["int8"], DTYPES["uint8"], DTYPES["float32"]


def signed_activations(context: Context, hit: Hit) -> Fix | None:
    """Quantize activations to int8 of zero point 0 instead of to uint8 of 128."""
    quantization = context.analysis(QuantizationMap)
    edits: list[GraphEdit] = []
    count = 0
    for node in all_places(hit):
        quantizer = quantization.converter(node)
        if quantizer is None or not main_opset(context, node.graph):
            continue
        shifted = _shifted(quantization, quantizer, f"{quantizer.output.name}_zero")
        count += bool(shifted)
        edits += shifted
    if not edits:
        return None
    return Fix(tuple(edits), f"Quantizes {count} activations to int8 instead of uint8.")


def _shifted(quantization: QuantizationMap, quantizer: Converter, name: str) -> list[GraphEdit]:
    """Return the edits of a Q and its DQs; none if they would not mean the same."""
    scheme, output = quantizer.scheme, quantizer.output
    readers = [quantization.converter(use.node) for use in output.consumers]
    if quantizer.kind != "quantize" or output.is_output or quantizer.node.domain:
        return []
    schemes = [scheme, *(each.scheme for each in readers if each is not None)]
    if None in readers or any(each is not None and each.kind == "quantize" for each in readers):
        return []
    for each in schemes:
        points = each.zero_points
        if points is None or each.dtype is not _UINT8 or not bool((points == _MIDDLE).all()):
            return []
    point = scheme.zero_point
    if point is None or point.tensor is None:
        return []
    if quantizer.node.get_int("output_dtype", 0):
        return []
    shape = point.tensor.shape
    nodes = (quantizer.node, *(use.node for use in output.consumers))
    edits: list[GraphEdit] = [
        AddTensor(name, output.graph, _INT8, shape, partial(_zeros, shape, "int8"))
    ]
    edits += [SetInput(node, 2, name) for node in nodes]
    if output.declared_dtype is not None:
        edits.append(SetType(output, _INT8))
    return edits


def symmetric_weights(context: Context, hit: Hit) -> Fix | None:
    """Store weights as int8 without a zero point, where the differences from it fit."""
    quantization = context.analysis(QuantizationMap)
    edits: list[GraphEdit] = []
    count = 0
    for node in all_places(hit):
        found = quantization.converter(node)
        if found is None or not main_opset(context, node.graph) or not context.read_weights:
            continue
        moved = _without_point(found)
        count += bool(moved)
        edits += moved
    if not edits:
        return None
    return Fix(tuple(edits), f"Stores {count} weights as int8 without a zero point.")


def _without_point(weight: Converter) -> list[GraphEdit]:
    """Return the edits of a stored weight and its DQ; none if a number would not fit."""
    source, scheme = weight.source, weight.scheme
    tensor, point = source.tensor, scheme.zero_point
    if weight.kind != "dequantize" or weight.undoes is not None or weight.node.domain:
        return []
    if tensor is None or point is None or point.tensor is None or not is_settled(source):
        return []
    if tensor.dtype not in (_INT8, _UINT8) or len(source.consumers) != 1 or source.is_output:
        return []
    moved = _differences(weight)
    if moved is None or moved.min(initial=0) < -128 or moved.max(initial=0) > 127:
        return []
    shape = point.tensor.shape
    name = f"{source.name}_zero"
    return [
        *reading(
            weight.node, 0, f"{source.name}_int8", _INT8, tensor.shape, partial(_int8, weight)
        ),
        AddTensor(name, weight.node.graph, _INT8, shape, partial(_zeros, shape, "int8")),
        SetInput(weight.node, 2, name),
    ]


def _differences(weight: Converter) -> NDArray[Any] | None:
    """Return a weight's steps from its zero point."""
    tensor, points = weight.source.tensor, weight.scheme.zero_points
    stored = tensor.numpy() if tensor is not None else None
    if stored is None or points is None:
        return None
    points = points.astype("int32")
    if points.size == 1:
        points = points.reshape([1] * stored.ndim)
        whole: NDArray[Any] = stored.astype("int32") - points
        return whole
    axis = weight.scheme.axis % max(stored.ndim, 1)
    if weight.scheme.block or points.ndim != 1 or stored.ndim == 0:
        return None
    if stored.shape[axis] != points.size:
        return None
    sizes = [-1 if at == axis else 1 for at in range(stored.ndim)]
    moved: NDArray[Any] = stored.astype("int32") - points.reshape(sizes)
    return moved


def _int8(weight: Converter) -> NDArray[Any]:
    moved = _differences(weight)
    if moved is None:
        raise EditError(f"the elements of '{weight.source.name}' cannot be read")
    return moved.astype("int8")


def state_zero_point(context: Context, hit: Hit) -> Fix | None:
    """Give quantizers the zero point of uint8 that they have without one."""
    if context.for_tensorrt:
        return None  # which refuses uint8, stated or not
    quantization = context.analysis(QuantizationMap)
    edits: list[GraphEdit] = []
    for node in all_places(hit):
        found = quantization.converter(node)
        scale = found.scheme.scale if found is not None else None
        shape = scale.tensor.shape if scale is not None and scale.tensor is not None else None
        if found is None or shape is None or not main_opset(context, node.graph):
            continue
        name = f"{found.output.name}_zero"
        zeros = partial(_zeros, shape, "uint8")
        edits += [AddTensor(name, node.graph, _UINT8, shape, zeros), SetInput(node, 2, name)]
    if not edits:
        return None
    return Fix(tuple(edits), f"States the zero points of {len(edits) // 2} quantizers.")


def float_biases(context: Context, hit: Hit) -> Fix | None:
    """Store biases in float, just as their DQs would return them."""
    quantization = context.analysis(QuantizationMap)
    edits: list[GraphEdit] = []
    count = 0
    for node in all_places(hit):
        found = quantization.converter(node)
        if found is None or not main_opset(context, node.graph):
            continue
        stored = _as_float(found)
        count += bool(stored)
        edits += stored
    if not edits:
        return None
    return Fix(tuple(edits), f"Stores {count} biases in float.")


def _as_float(bias: Converter) -> list[GraphEdit]:
    source, scale, output = bias.source, bias.scheme.scale, bias.output
    tensor, table = source.tensor, scale.tensor if scale is not None else None
    if scale is None or tensor is None or table is None or not is_settled(source):
        return []
    if bias.kind != "dequantize":
        return []
    if table.dtype is not _FLOAT or len(tensor.shape) != 1 or output.is_output:
        return []
    if table.elements not in (1, tensor.elements) or not bias.scheme.is_symmetric:
        return []
    if bias.node.get_int("output_dtype", 0) not in (0, 1):
        return []
    name = f"{source.name}_float"
    edits: list[GraphEdit] = [
        AddTensor(name, source.graph, _FLOAT, tensor.shape, partial(_dequantized, source, scale)),
        Replace(output, name),
        RemoveNodes((bias.node,)),
    ]
    return edits


def _dequantized(source: Value, scale: Value) -> NDArray[Any]:
    steps = source.tensor.numpy() if source.tensor is not None else None
    scales = scale.tensor.numpy() if scale.tensor is not None else None
    if steps is None or scales is None:
        raise EditError(f"the elements of '{source.name}' cannot be read")
    made: NDArray[Any] = steps.astype("float32") * scales.reshape(-1)
    return made


def _zeros(shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    import numpy as np

    return np.zeros(shape, dtype)
