"""Biases whose scale does not fit their layer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from modellint.analysis.quantization import Converter, QuantizationMap, WeightedOp
from modellint.checks.api import Context, Hit
from modellint.fixes.building import main_opset
from modellint.fixes.conditions import is_settled
from modellint.model import DTYPES, Node, Use, Value
from modellint.model.edits import (
    AddTensor,
    EditError,
    Fix,
    GraphEdit,
    InsertNodes,
    NewNode,
    RemoveNodes,
    SetInput,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STEP = 1e-2
"""Largest change by biases rounded to other steps, relative to the largest element."""
_FIRST_PER_CHANNEL = 13
_LARGEST = 2**31 - 1
_INT32, _FLOAT = DTYPES["int32"], DTYPES["float32"]


def requantize_bias(context: Context, hit: Hit) -> Fix | None:
    """Store a bias in steps of the products that it is added to, for each layer that adds it."""
    quantization = context.analysis(QuantizationMap)
    node = hit.place if isinstance(hit.place, Node) else None
    bias = quantization.converter(node)
    if node is None or bias is None or not is_settled(bias.source) or bias.output.is_output:
        return None
    if main_opset(context, node.graph) < _FIRST_PER_CHANNEL or not bias.scheme.is_symmetric:
        return None
    copies, uses = _readers(bias.output)
    edits: list[GraphEdit] = []
    for number, use in enumerate(uses):
        op = quantization.op(use.node)
        more = _requantized(bias, op, number) if op is not None and use.index == 2 else None
        if more is None:
            return None
        edits += more
    says = f"Stores the bias of '{bias.output.name}' in steps of its layer's products."
    return Fix((*edits, RemoveNodes((node, *copies))), says, tolerance=_STEP)


def _readers(value: Value) -> tuple[list[Node], list[Use]]:
    """Return the Identity nodes after a value, and the uses of it and of their outputs."""
    copies: list[Node] = []
    uses: list[Use] = []
    pending = [value]
    while pending:
        for use in pending.pop().consumers:
            copied = use.node.output() if use.node.op_type == "Identity" else None
            if copied is None or copied.is_output:
                uses.append(use)
            else:
                copies.append(use.node)
                pending.append(copied)
    return copies, uses


def _requantized(bias: Converter, op: WeightedOp, number: int) -> list[GraphEdit] | None:
    """Return the edits that give a layer a bias of its own."""
    tensor = bias.source.tensor
    data, weight = op.data.scheme, op.weight.scheme
    if tensor is None or tensor.dtype is not _INT32 or len(tensor.shape) != 1:
        return None
    if data is None or weight is None or data.scales is None or weight.scales is None:
        return None
    channels = tensor.shape[0]
    size = weight.scales.size
    if data.scales.size != 1 or size not in (1, channels) or bias.scheme.scales is None:
        return None
    if weight.scales.dtype.name != "float32" or bias.scheme.scales.size not in (1, channels):
        return None
    shape = () if size == 1 else (channels,)
    name = f"{bias.source.name}_{number}"
    parts = f"{name}_scale"
    result = f"{name}_dequantized"
    node = NewNode(
        "DequantizeLinear",
        (name, parts),
        (result,),
        {"axis": 0} if size > 1 else {},
        name=result,
    )
    scales: Callable[[], NDArray[Any]] = partial(_products, op, shape)
    return [
        AddTensor(name, op.node.graph, _INT32, tensor.shape, partial(_steps, bias, op)),
        AddTensor(parts, op.node.graph, _FLOAT, shape, scales),
        InsertNodes(op.node.graph, (node,), before=op.node),
        SetInput(op.node, 2, result),
    ]


def _products(op: WeightedOp, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the scales of a layer's products."""
    data, weight = op.data.scheme, op.weight.scheme
    scales = (data.scales if data is not None else None, weight.scales if weight else None)
    if scales[0] is None or scales[1] is None:
        raise EditError(f"the scales of '{op.node.label}' cannot be read")
    made: NDArray[Any] = (scales[0].reshape(-1) * scales[1].reshape(-1)).astype("float32")
    return made.reshape(shape)


def _steps(bias: Converter, op: WeightedOp) -> NDArray[Any]:
    import numpy as np

    stored = bias.source.tensor.numpy() if bias.source.tensor is not None else None
    own = bias.scheme.scales
    if stored is None or own is None:
        raise EditError(f"the elements of '{bias.source.name}' cannot be read")
    wanted = _products(op, (-1,)).astype("float64")
    if not (wanted > 0).all():
        raise EditError(f"a scale of '{op.node.label}' is not positive")
    steps = np.rint(stored * own.reshape(-1).astype("float64") / wanted)
    if (np.abs(steps) > _LARGEST).any():
        raise EditError(f"the bias '{bias.source.name}' needs more than 32 bits")
    made: NDArray[Any] = steps.astype("int32")
    return made
