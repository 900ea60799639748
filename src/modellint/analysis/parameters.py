"""Which stored tensors are learned weights, and how many of their elements there are.

Papers count what training learns. So shape arguments, quantization scales and zero points, the
running statistics of BatchNormalization and scalar constants are left out, and a weight that
is stored packed counts its elements, not its bytes.
"""

from __future__ import annotations

from modellint.model import Model, Node, Tensor, Value

# Inputs that are stored, but not learned, by op type.
_NOT_LEARNED: dict[str, frozenset[int]] = {
    "BatchNormalization": frozenset({3, 4}),
    "QuantizeLinear": frozenset({1, 2}),
    "DequantizeLinear": frozenset({1, 2}),
    "QLinearConv": frozenset({1, 2, 4, 5, 6, 7}),
    "QLinearMatMul": frozenset({1, 2, 4, 5, 6, 7}),
    "QLinearAdd": frozenset({1, 2, 4, 5, 6, 7}),
    "QLinearMul": frozenset({1, 2, 4, 5, 6, 7}),
    "QGemm": frozenset({1, 2, 4, 5, 7, 8}),
    "ConvInteger": frozenset({2, 3}),
    "MatMulInteger": frozenset({2, 3}),
    "MatMulIntegerToFloat": frozenset({2, 3, 4, 5}),
    "DynamicQuantizeMatMul": frozenset({2, 3}),
    "QAttention": frozenset({3, 4, 6, 7}),
    "MatMulNBits": frozenset({2, 3, 4}),
    "MatMulBnb4": frozenset({2}),
    "GatherBlockQuantized": frozenset({2, 3}),
    "Clip": frozenset({1, 2}),
    "Resize": frozenset({1, 2}),
    "Upsample": frozenset({1}),
    "Pad": frozenset({2}),
    "ScatterND": frozenset({2}),
    "ScatterElements": frozenset({2}),
}
_PASSES = frozenset({"Identity", "Reshape", "Transpose", "Cast", "Squeeze", "Unsqueeze"})
"""Ops that hand a weight on as it is: the node after them says what it is."""
_SCALARS = frozenset({"Add", "Div", "Max", "Min", "Mul", "Pow", "Sub", "Where"})
"""Ops whose single numbers are part of a formula, not of what was learned."""
_PACKED = {"MatMulNBits": ("K", "N"), "MatMulBnb4": ("K", "N")}


class Parameters:
    """Learned weights per node, and in total with shared ones counted once."""

    def __init__(self, model: Model) -> None:
        self._counts: dict[int, int] = {}
        if model.graph is None:
            self.total = sum(tensor.elements for tensor in model.tensors if _may_learn(tensor))
            return
        for node in model.nodes(functions=True):
            if node.op_type in _PASSES:
                continue
            for index, value in enumerate(node.inputs):
                tensor = _stored(value)
                if tensor is not None:
                    self._count(node, index, tensor)
        self.total = sum(self._counts.values())

    def of(self, node: Node) -> int:
        """Learned weights that the node itself reads."""
        mine = {id(tensor) for value in node.inputs if (tensor := _stored(value)) is not None}
        return 0 if node.op_type in _PASSES else sum(self._counts.get(each, 0) for each in mine)

    def _count(self, node: Node, index: int, tensor: Tensor) -> None:
        if not _may_learn(tensor) or index in _NOT_LEARNED.get(node.op_type, ()):
            return
        if tensor.elements == 1 and node.op_type in _SCALARS:
            return
        elements = tensor.elements
        if node.op_type in _PACKED and index == 1:
            rows, columns = (node.get_int(name, 0) or 0 for name in _PACKED[node.op_type])
            elements = rows * columns
        self._counts[id(tensor)] = elements


def _stored(value: Value | None) -> Tensor | None:
    """The tensor behind a value, through what only hands it on."""
    for _ in range(8):
        if value is None or value.tensor is not None:
            break
        node = value.producer
        if node is None or node.op_type not in _PASSES:
            return None
        value = node.input(0)
    return value.tensor if value is not None else None


def _may_learn(tensor: Tensor) -> bool:
    dtype = tensor.dtype
    stored_weight = dtype.is_float or (dtype.is_integer and dtype.bits <= 8)
    return stored_weight and bool(tensor.shape)
