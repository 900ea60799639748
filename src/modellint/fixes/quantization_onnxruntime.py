"""Biases whose scale does not fit their layer, and normalizations after frozen weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from modellint.analysis.quantization import Converter, QuantizationMap, WeightedOp
from modellint.base.text import counted
from modellint.checks.api import Context, Hit
from modellint.fixes.building import main_opset, readable, reading, wide
from modellint.fixes.conditions import is_settled
from modellint.fixes.fusion_linear import Affine, affine_of
from modellint.fixes.quantization_pairs import STEPS, all_places
from modellint.model import DTYPES, Node, Use, Value
from modellint.model.edits import (
    AddTensor,
    EditError,
    Fix,
    GraphEdit,
    InsertNodes,
    NewNode,
    RemoveNodes,
    Replace,
    SetAttribute,
    SetInput,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STEP = 1e-2
"""Largest change by biases rounded to other steps, relative to the largest element."""
_FIRST_PER_CHANNEL = 13
_LARGEST = 2**31 - 1
_INT8, _INT32, _FLOAT = DTYPES["int8"], DTYPES["int32"], DTYPES["float32"]


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


def fold_batchnorm(context: Context, hit: Hit) -> Fix | None:
    """Fold normalizations into the scales and biases of the quantized convolutions before."""
    quantization = context.analysis(QuantizationMap)
    edits: list[GraphEdit] = []
    count = 0
    for node in all_places(hit):
        more = _folded(context, quantization, node)
        edits, count = edits + more, count + bool(more)
    if not edits:
        return None
    says = f"Folds {counted(count, 'BatchNormalization')} into the scales of quantized weights."
    return Fix(tuple(edits), says, tolerance=STEPS)


def _folded(context: Context, quantization: QuantizationMap, node: Node) -> list[GraphEdit]:
    """Return the edits of one normalization; none if its layer's numbers are not all stored."""
    made, result = node.input(0), node.output()
    layer = made.producer if made is not None else None
    op, affine = quantization.op(layer), affine_of(context, node)
    if made is None or result is None or layer is None or op is None or affine is None:
        return []
    weight = quantization.dequantizer_of(op.weight.value) if op.weight.value is not None else None
    tensor = weight.source.tensor if weight is not None else None
    if weight is None or tensor is None or layer.op_type != "Conv" or tensor.dtype is not _INT8:
        return []
    if made.sole_consumer is not node or weight.output.sole_consumer is not layer:
        return []
    if main_opset(context, layer.graph) < _FIRST_PER_CHANNEL or weight.scheme.block:
        return []
    scheme, data = weight.scheme, op.data.scheme
    if not is_settled(weight.source) or not scheme.is_symmetric or scheme.scales is None:
        return []
    if data is None or data.scales is None or data.scales.size != 1 or affine.offset is None:
        return []
    channels = tensor.shape[0]
    if affine.channels != channels or not (scheme.is_per_tensor or scheme.axis == 0):
        return []
    biases = _FoldedBias(layer.input(2), quantization, weight, data.scales, affine)
    if not biases.is_known:
        return []
    name, where = weight.source.name, (channels,)
    added = reading(
        weight.node,
        0,
        f"{name}_folded",
        _INT8,
        tensor.shape,
        partial(_flipped, weight.source, affine),
    )
    scales = reading(
        weight.node, 1, f"{name}_folded_scale", _FLOAT, where, partial(_scaled, weight, affine)
    )
    zero = partial(_zeros, channels)
    points = reading(weight.node, 2, f"{name}_folded_zero", _INT8, where, zero)
    bias, bias_scale, dequantized = (f"{name}_folded_bias{end}" for end in ("", "_scale", "_float"))
    adding = NewNode(
        "DequantizeLinear", (bias, bias_scale), (dequantized,), {"axis": 0}, name=dequantized
    )
    return [
        *added,
        *scales,
        *points,
        SetAttribute(weight.node, "axis", 0),
        AddTensor(bias, layer.graph, _INT32, where, biases.steps),
        AddTensor(bias_scale, layer.graph, _FLOAT, where, biases.scales),
        InsertNodes(layer.graph, (adding,), before=layer),
        SetInput(layer, 2, dequantized),
        Replace(result, made),
        RemoveNodes((node, *biases.removed)),
    ]


class _FoldedBias:
    """The bias of a convolution with a normalization folded into it."""

    def __init__(
        self,
        old: Value | None,
        quantization: QuantizationMap,
        weight: Converter,
        data_scale: NDArray[Any],
        affine: Affine,
    ) -> None:
        self._old = quantization.dequantizer_of(old) if old is not None else None
        self._plain = old if self._old is None else None
        self._weight, self._data, self._affine = weight, data_scale, affine

    @property
    def is_known(self) -> bool:
        if self._old is not None:
            scheme = self._old.scheme
            return (
                is_settled(self._old.source)
                and bool(scheme.is_symmetric)
                and scheme.scales is not None
            )
        return self._plain is None or readable(self._plain)

    @property
    def removed(self) -> tuple[Node, ...]:
        alone = self._old is not None and len(self._old.output.consumers) == 1
        return (self._old.node,) if self._old is not None and alone else ()

    def scales(self) -> NDArray[Any]:
        made: NDArray[Any] = self._data.reshape(-1) * _scaled(self._weight, self._affine)
        return made.astype("float32")

    def steps(self) -> NDArray[Any]:
        import numpy as np

        bias = np.zeros(1) if self._plain is None else wide(self._plain)
        if self._old is not None and self._old.scheme.scales is not None:
            bias = wide(self._old.source) * self._old.scheme.scales.astype("float64").reshape(-1)
        offset = self._affine.offset() if self._affine.offset is not None else 0
        steps = np.rint((bias * self._affine.factor() + offset) / self.scales())
        if not (np.abs(steps) <= _LARGEST).all():
            raise EditError(f"a bias of '{self._weight.source.name}' needs more than 32 bits")
        made: NDArray[Any] = steps.astype("int32")
        return made


def _scaled(weight: Converter, affine: Affine) -> NDArray[Any]:
    import numpy as np

    scales, factor = weight.scheme.scales, np.abs(affine.factor())
    if scales is None or not (factor > 0).all():
        raise EditError(f"a channel of '{weight.source.name}' would have no scale")
    made: NDArray[Any] = (scales.reshape(-1).astype("float64") * factor).astype("float32")
    return made


def _flipped(value: Value, affine: Affine) -> NDArray[Any]:
    """Return a weight with the signs of the factors, since scales are positive."""
    import numpy as np

    stored = wide(value)
    signs = np.sign(affine.factor()).reshape([-1] + [1] * (stored.ndim - 1))
    if (stored * signs > 127).any():
        raise EditError(f"'{value.name}' has no opposite of -128")
    made: NDArray[Any] = (stored * signs).astype("int8")
    return made


def _zeros(size: int) -> NDArray[Any]:
    import numpy as np

    return np.zeros(size, "int8")
