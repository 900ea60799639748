"""Operators on integers, written as float operators between Q and DQ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from modellint.base.text import counted
from modellint.checks.api import Context, Hit
from modellint.fixes.building import instead, main_opset
from modellint.fixes.compat import once_raised
from modellint.fixes.conditions import is_settled
from modellint.fixes.quantization_pairs import all_places
from modellint.model import DTYPES, Node, Value
from modellint.model.edits import AddTensor, Fix, GraphEdit, NewNode, Operand
from modellint.operators import of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STEPS = 0.02
"""Largest change by rounding sums in float, relative to the largest element."""
_FIRST_PER_CHANNEL = 13
_FLOAT = DTYPES["float32"]
_PLAIN = {
    "QLinearConv": "Conv",
    "QLinearMatMul": "MatMul",
    "QGemm": "Gemm",
    "QLinearAdd": "Add",
    "QLinearMul": "Mul",
}
"""Float operators by those whose inputs the catalogue knows."""
_OF_ONE = {
    "QLinearLeakyRelu": "LeakyRelu",
    "QLinearSigmoid": "Sigmoid",
    "QLinearAveragePool": "AveragePool",
    "QLinearGlobalAveragePool": "GlobalAveragePool",
}
"""Those with one input: data, its scale and zero point, then those of the output."""
_LAYOUT = "channels_last"


def use_pairs(context: Context, hit: Hit) -> Fix | None:
    """Write all operators on integers as float ones between Q and DQ, or none."""
    edits: list[GraphEdit] = []
    nodes = tuple(all_places(hit))
    for node in nodes:
        more = _Rewriting(node).edits() if main_opset(context, node.graph) else None
        if more is None:
            return None
        edits += more
    if not edits:
        return None
    says = f"Writes {counted(len(nodes), 'operator')} on integers as float ones between Q and DQ."
    fix = Fix(tuple(edits), says, tolerance=_STEPS)
    return once_raised(context, context.model.graph, _FIRST_PER_CHANNEL, fix)


class _Rewriting:
    """Q, DQ and float operator in place of one operator on integers."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._row = of(node)
        output = node.output()
        self._result = output.name if output is not None else node.label
        self._made: list[NewNode] = []
        self._stored: list[GraphEdit] = []

    def edits(self) -> list[GraphEdit] | None:
        """Return the edits; None if the operator has no plain counterpart."""
        node = self._node
        is_scaled = node.op_type in _PLAIN and node.get_float("alpha", 1.0) != 1.0
        if node.get_int(_LAYOUT, 0) or is_scaled:
            return None
        if node.op_type in _OF_ONE:
            return self._between(_OF_ONE[node.op_type], [self._data(0)], node.inputs[3:5])
        if node.op_type == "QLinearConcat":
            parts = [self._data(at) for at in range(2, len(node.inputs), 3)]
            return self._between("Concat", parts, node.inputs[:2])
        op_type = _PLAIN.get(node.op_type)
        if op_type is None:
            return None
        places = [self._row.place(role) for role in ("data", "weight", "other")]
        operands = [self._data(place) for place in places if place is not None]
        if (place := self._row.place("bias")) is not None and node.input(place) is not None:
            operands.append(self._bias(place))
        output = (self._row.place("output-scale"), self._row.place("output-zero"))
        return self._between(op_type, operands, [node.input(at) for at in output if at is not None])

    def _between(
        self, op_type: str, operands: Sequence[Operand], output: Sequence[Value | None]
    ) -> list[GraphEdit] | None:
        node, result = self._node, self._node.output()
        if None in operands or len(output) != 2 or None in output or result is None:
            return None
        computed = f"{self._result}_float"
        attributes = {name: v for name, v in node.attributes.items() if name != _LAYOUT}
        self._made += (
            NewNode(op_type, tuple(operands), (computed,), attributes, name=node.name),
            NewNode(
                "QuantizeLinear", (computed, *output), (result,), name=f"{self._result}_quantized"
            ),
        )
        return [*self._stored, *instead((node,), node, *self._made)]

    def _data(self, place: int) -> str | None:
        """Dequantize an input, whose scale and zero point follow it."""
        value, scale, zero = (self._node.input(place + at) for at in range(3))
        if value is None or scale is None or scale.shape is None:
            return None
        is_scalar = all(dim == 1 for dim in scale.shape)
        axis = None if is_scalar else self._axis(place)
        if not is_scalar and (axis is None or len(scale.shape) != 1):
            return None
        name = f"{self._result}_input_{place}"
        inputs = (value, scale) if zero is None else (value, scale, zero)
        where = {} if axis is None else {"axis": axis}
        self._made.append(NewNode("DequantizeLinear", inputs, (name,), where, name=name))
        return name

    def _axis(self, place: int) -> int | None:
        """Return the axis of a weight's output channels; None for other inputs."""
        node, weight = self._node, self._node.input(place)
        if place != self._row.place("weight") or weight is None or weight.shape is None:
            return None
        if _PLAIN[node.op_type] == "Conv" or node.get_int("transB", 0):
            return 0
        return len(weight.shape) - 1

    def _bias(self, place: int) -> str | None:
        """Store a bias, whose step is the product of those of data and weight, in float."""
        bias = self._node.input(place)
        scales = list(self._scales())
        if bias is None or bias.tensor is None or len(scales) != 2 or not is_settled(bias):
            return None
        shape, stored = bias.tensor.shape, bias.tensor.numpy()
        if stored is None or stored.dtype != "int32":
            return None
        name = f"{self._result}_bias"
        elements = partial(_scaled, stored, *scales)
        self._stored.append(AddTensor(name, self._node.graph, _FLOAT, shape, elements))
        return name

    def _scales(self) -> Iterator[NDArray[Any]]:
        for role in ("data-scale", "weight-scale"):
            place = self._row.place(role)
            scale = self._node.input(place) if place is not None else None
            tensor = scale.tensor if is_settled(scale) and scale is not None else None
            numbers = tensor.numpy() if tensor is not None else None
            if numbers is not None:
                yield numbers.reshape(-1)


def _scaled(stored: NDArray[Any], data: NDArray[Any], weight: NDArray[Any]) -> NDArray[Any]:
    scaled: NDArray[Any] = stored.astype("float64") * data.astype("float64") * weight
    return scaled.astype("float32").reshape(stored.shape)
