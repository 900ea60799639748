"""Factors, offsets and padding that a layer can absorb."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from modellint.analysis.fusion import consuming_nodes, onward
from modellint.analysis.quantization import Readiness
from modellint.base.records import dataclass
from modellint.base.text import counted
from modellint.checks.api import Context, Hit
from modellint.fixes.building import (
    main_opset,
    narrowed,
    readable,
    reading,
    tolerance_of,
    wide,
)
from modellint.model import Node, Value, small_integers
from modellint.model.edits import (
    AddTensor,
    EditError,
    Fix,
    GraphEdit,
    RemoveNodes,
    Replace,
    SetAttribute,
    SetInput,
    SetOperator,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FIRST_PLAIN_BATCHNORM = 9
"""The operator set since which BatchNormalization has neither `spatial` nor `is_test`."""
_CONVOLUTIONS = ("Conv", "ConvTranspose")
_ARITHMETIC = ("Add", "Div", "Mul", "Sub")


@dataclass(frozen=True, slots=True)
class Affine:
    """A factor and an offset for each channel, or one for all."""

    factor: Callable[[], NDArray[Any]]
    offset: Callable[[], NDArray[Any]] | None
    channels: int
    """1 if there is one for all."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer with stored weights, and the Add of its bias if it has no bias input."""

    node: Node
    addition: Node | None = None

    @property
    def last(self) -> Node:
        return self.addition or self.node

    @property
    def weight(self) -> Value | None:
        return self.node.input(1)

    @property
    def axis(self) -> int:
        """Return the axis of the weight that its output channels are on."""
        if self.node.op_type == "Conv":
            return 0
        if self.node.op_type == "Gemm" and self.node.get_int("transB", 0):
            return 0
        return 1

    @property
    def bias(self) -> tuple[Node, int]:
        """Return the node that adds the bias, and the input that it is."""
        if self.addition is None:
            return self.node, 2
        return self.addition, int(self.addition.input(0) is self.node.output())

    @property
    def bias_value(self) -> Value | None:
        node, at = self.bias
        return node.input(at)

    def channels(self) -> int | None:
        """Return the number of output channels."""
        weight = self.weight
        shape = weight.tensor.shape if weight is not None and weight.tensor is not None else ()
        if self.node.op_type in _CONVOLUTIONS:
            if len(shape) < 3:
                return None
            groups = self.node.get_int("group", 1) or 1
            return shape[0] if self.node.op_type == "Conv" else shape[1] * groups
        return shape[self.axis] if len(shape) == 2 else None


def conv_batchnorm(context: Context, hit: Hit) -> Fix | None:
    """Fold a BatchNormalization into the convolution before it."""
    return fold_batchnorm(context, hit.place if isinstance(hit.place, Node) else None)


def linear_batchnorm(context: Context, hit: Hit) -> Fix | None:
    """Fold a BatchNormalization into a product of matrices."""
    values = hit.values
    layer, product = values.get("l"), values.get("m", values.get("l"))
    result = values.get("y")
    if layer is None or product is None or result is None or product.producer is None:
        return None
    if len(context.shape(layer) or ()) != 2:
        return None  # the channels would be on another axis than those of the weight
    addition = layer.producer if layer is not product else None
    return _with_batchnorm(context, _Layer(product.producer, addition), result.producer)


def fold_batchnorm(context: Context, node: Node | None) -> Fix | None:
    """Fold a BatchNormalization into the convolution or Gemm that makes its input."""
    value = node.input(0) if node is not None else None
    layer = value.producer if value is not None else None
    if value is None or layer is None or value.sole_consumer is not node:
        return None
    if layer.op_type in _CONVOLUTIONS:
        return _with_batchnorm(context, _Layer(layer), node)
    is_flat = layer.op_type == "Gemm" and len(context.shape(value) or ()) == 2
    return _with_batchnorm(context, _Layer(layer), node) if is_flat else None


def all_batchnorms(context: Context, hit: Hit) -> Fix | None:
    """Fold all of a model's normalizations into the layers before them."""
    unfolded = context.analysis(Readiness).unfolded
    nodes = unfolded.nodes if unfolded is not None else ()
    fixes = [fix for node in nodes if (fix := fold_batchnorm(context, node)) is not None]
    if not fixes:
        return None
    edits = tuple(edit for fix in fixes for edit in fix.edits)
    says = f"Folds {counted(len(fixes), 'BatchNormalization')} into the layers before."
    return Fix(edits, says, tolerance=max(fix.tolerance or 0.0 for fix in fixes))


def _with_batchnorm(context: Context, layer: _Layer, node: Node | None) -> Fix | None:
    affine = affine_of(context, node) if node is not None else None
    return _folded(context, layer, node, affine) if node is not None and affine else None


def affine_of(context: Context, node: Node) -> Affine | None:
    """Return the factor and offset of a BatchNormalization per channel; None unless all stored."""
    if len(node.inputs) != 5 or not readable(*node.inputs[1:]):
        return None
    if main_opset(context, node.graph) < _FIRST_PLAIN_BATCHNORM or node.get_int("training_mode", 0):
        return None
    if any(
        value is not None and (value.consumers or value.is_output) for value in node.outputs[1:]
    ):
        return None
    scale, shift, mean, variance = (value for value in node.inputs[1:] if value is not None)
    epsilon = node.get_float("epsilon", 1e-5)
    if epsilon is None or scale.tensor is None:
        return None

    def factor() -> NDArray[Any]:
        import numpy as np

        spread = wide(variance) + epsilon
        if (spread <= 0).any():
            raise EditError(f"the variances of '{variance.name}' are not positive")
        made: NDArray[Any] = wide(scale) / np.sqrt(spread)
        return made

    def offset() -> NDArray[Any]:
        made: NDArray[Any] = wide(shift) - wide(mean) * factor()
        return made

    return Affine(factor, offset, scale.tensor.elements)


def channel_scale(context: Context, hit: Hit) -> Fix | None:
    """Fold arithmetic with a constant per channel into the convolution before it."""
    layer, constant, result = (hit.values.get(name) for name in ("k", "c", "y"))
    if layer is None or layer.producer is None or result is None or constant is None:
        return None
    return _with_constant(context, _Layer(layer.producer), result.producer, constant)


def linear_scale(context: Context, hit: Hit) -> Fix | None:
    """Fold a factor into a product of matrices, and into its bias."""
    values = hit.values
    layer, product = values.get("l"), values.get("m", values.get("l"))
    constant, result = values.get("c"), values.get("y")
    if layer is None or product is None or constant is None or result is None:
        return None
    if product.producer is None:
        return None
    addition = layer.producer if layer is not product else None
    return _with_constant(context, _Layer(product.producer, addition), result.producer, constant)


def _with_constant(
    context: Context, layer: _Layer, node: Node | None, constant: Value
) -> Fix | None:
    if node is None or constant.tensor is None or not readable(constant):
        return None
    op, tensor = node.op_type, constant.tensor
    made, result = layer.last.output(), node.output()
    rank = len((context.shape(made) if made is not None else None) or ())
    if result is None or len(tensor.shape) > max(rank, 1):
        return None
    if op in ("Div", "Sub") and node.input(1) is not constant:
        return None

    def factor() -> NDArray[Any]:
        import numpy as np

        numbers = wide(constant).reshape(-1)
        if op == "Div" and (numbers == 0).any():
            raise EditError(f"'{constant.name}' has a zero to divide by")
        return numbers if op == "Mul" else 1 / numbers if op == "Div" else np.ones(1)

    def offset() -> NDArray[Any]:
        numbers = wide(constant).reshape(-1)
        return numbers if op == "Add" else -numbers

    affine = Affine(factor, offset if op in ("Add", "Sub") else None, tensor.elements)
    fix = _folded(context, layer, node, affine)
    after = result.sole_consumer
    is_next = after is not None and after.op_type in _ARITHMETIC  # which is found then
    return replace(fix, keeps_finding=True) if fix is not None and is_next else fix


def _folded(context: Context, layer: _Layer, node: Node, affine: Affine) -> Fix | None:
    """Fold a node's effect on a layer's output into the layer."""
    weight, result, channels = layer.weight, node.output(), layer.channels()
    bias = layer.bias_value
    made = layer.last.output()
    if weight is None or weight.tensor is None or result is None or made is None:
        return None
    if not main_opset(context, node.graph) or not readable(weight) or channels is None:
        return None
    if bias is not None and (bias.tensor is None or not readable(bias)):
        return None
    if affine.channels not in (1, channels) or made.sole_consumer is not node:
        return None
    dtype, tolerance = weight.tensor.dtype, tolerance_of(result)
    if tolerance is None or result.dtype != dtype:
        return None
    edits: list[GraphEdit] = []
    if layer.node.op_type == "Gemm":
        edits += [SetAttribute(layer.node, name, None) for name in _given(layer.node)]
    alpha, beta = _factors(layer.node)
    shape = weight.tensor.shape

    def weights() -> NDArray[Any]:
        scaled = wide(weight) * _along(layer, affine.factor(), len(shape), channels) * alpha
        return narrowed(scaled, dtype)

    edits += reading(layer.node, 1, f"{weight.name}_folded", dtype, shape, weights)
    added = _bias(layer, affine, channels, beta)
    if added is None:
        return None
    says = f"Folds {node.op_type} '{node.label}' into {layer.node.op_type} '{layer.node.label}'."
    edits += [*added, Replace(result, made), RemoveNodes((node,))]
    return Fix(tuple(edits), says, tolerance=tolerance)


def _given(gemm: Node) -> list[str]:
    return [name for name in ("alpha", "beta") if name in gemm.attributes]


def _factors(node: Node) -> tuple[float, float]:
    """Return the factors of a Gemm's product and bias."""
    if node.op_type != "Gemm":
        return 1.0, 1.0
    alpha, beta = node.get_float("alpha", 1.0), node.get_float("beta", 1.0)
    return (1.0 if alpha is None else alpha), (1.0 if beta is None else beta)


def _along(layer: _Layer, factor: NDArray[Any], rank: int, channels: int) -> NDArray[Any]:
    """Return factors of output channels in the layout of the weight."""
    if factor.size == 1:
        return factor.reshape(())
    if layer.node.op_type == "ConvTranspose":
        groups = layer.node.get_int("group", 1) or 1
        rows = layer.weight.tensor.shape[0] if layer.weight and layer.weight.tensor else 1
        table = factor.reshape(groups, channels // groups).repeat(rows // groups, axis=0)
        return table.reshape([*table.shape, *(1,) * (rank - 2)])
    return factor.reshape([channels if axis == layer.axis else 1 for axis in range(rank)])


def _bias(
    layer: _Layer, affine: Affine, channels: int, beta: float
) -> tuple[GraphEdit, ...] | None:
    """Return the edits of a layer's bias; None if it cannot have one."""
    old, weight = layer.bias_value, layer.weight
    if weight is None or weight.tensor is None:
        return None
    if old is None and affine.offset is None:
        return ()
    offset, dtype = affine.offset, weight.tensor.dtype
    shape = old.tensor.shape if old is not None and old.tensor is not None else (1,)
    if affine.channels > 1 or offset is not None:
        if shape and shape[-1] not in (1, channels):
            return None
        shape = (*shape[:-1], channels)
    name = f"{weight.name}_bias"

    def biases() -> NDArray[Any]:
        import numpy as np

        made = wide(old) * beta * affine.factor() if old is not None else np.zeros(1)
        if offset is not None:
            made = made + offset()
        return narrowed(np.broadcast_to(made, shape).copy(), dtype)

    node, at = layer.bias
    if layer.node.op_type == "MatMul" and layer.addition is None:
        return (
            SetOperator(node, "Gemm"),
            AddTensor(name, node.graph, dtype, shape, biases),
            SetInput(node, at, name),
        )
    return reading(node, at, name, dtype, shape, biases)


def pad(context: Context, hit: Hit) -> Fix | None:
    """Let convolutions and poolings pad by themselves."""
    node = hit.witness
    value = node.input(0) if node is not None else None
    output = node.output() if node is not None else None
    pads = (node.get_ints("pads") or small_integers(node.input(1))) if node is not None else None
    shape = context.shape(value) if value is not None else None
    if node is None or value is None or output is None or pads is None or not shape:
        return None
    if not main_opset(context, node.graph) or output.is_output or tolerance_of(output) is None:
        return None
    sides = _sides(pads, small_integers(node.input(3)), len(shape)) if node.input(3) else pads
    if sides is None or len(sides) != 2 * len(shape):
        return None
    spatial = (*sides[2 : len(shape)], *sides[len(shape) + 2 :])
    edits: list[GraphEdit] = []
    for window in consuming_nodes(onward(output)):
        more = _padded(window, spatial)
        if more is None:
            return None
        edits += more
    says = f"Moves Pad '{node.label}' into the ops after it."
    edits += [Replace(output, value), RemoveNodes((node,))]
    return Fix(tuple(edits), says, tolerance=tolerance_of(output))


def _sides(
    pads: tuple[int, ...], axes: tuple[int, ...] | None, rank: int
) -> tuple[int, ...] | None:
    """Return the padding of all axes for that of some."""
    if axes is None or len(pads) != 2 * len(axes):
        return None
    whole = [0] * (2 * rank)
    for at, axis in enumerate(axes):
        whole[axis % rank] = pads[at]
        whole[axis % rank + rank] = pads[len(axes) + at]
    return tuple(whole)


def _padded(window: Node, more: tuple[int, ...]) -> list[GraphEdit] | None:
    """Return the edits that let a convolution or pooling pad by more; None if it cannot."""
    automatic = window.get_str("auto_pad", "NOTSET")
    own = window.get_ints("pads")
    if automatic not in ("NOTSET", "VALID") or window.get_int("ceil_mode", 0):
        return None
    if own is None or automatic == "VALID":
        own = (0,) * len(more)
    if len(own) != len(more) or any(each < 0 for each in own):
        return None
    kernel = window.get_ints("kernel_shape")
    edits: list[GraphEdit] = []
    if window.op_type == "AveragePool":
        if any(own) and not window.get_int("count_include_pad", 0):
            return None
        edits.append(SetAttribute(window, "count_include_pad", 1))
    if window.op_type != "Conv":
        half = len(more) // 2
        widest = [max(own[at] + more[at], own[half + at] + more[half + at]) for at in range(half)]
        if kernel is None or any(pad >= size for pad, size in zip(widest, kernel, strict=False)):
            return None  # runtimes refuse windows in the padding alone
    if window.op_type == "MaxPool" and any(own):
        return None
    edits.append(SetAttribute(window, "pads", tuple(a + b for a, b in zip(own, more, strict=True))))
    return edits + ([SetAttribute(window, "auto_pad", None)] if automatic == "VALID" else [])
