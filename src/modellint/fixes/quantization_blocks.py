"""Weights of 4 bits that ONNX Runtime's own operator packs, as ONNX stores them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from modellint.checks.api import Context, Hit
from modellint.fixes.building import instead, readable, tolerance_of
from modellint.fixes.compat import once_raised
from modellint.fixes.conditions import is_settled
from modellint.fixes.quantization_pairs import STEPS
from modellint.model import DTYPES, Node, Value
from modellint.model.edits import AddTensor, EditError, Fix, GraphEdit, NewNode, Operand

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FIRST_WITH_BLOCKS = 21
"""The operator set since which DequantizeLinear takes blocks."""
_BITS, _MIDDLE = 4, 8
"""The only width that is stored so, and the number that stands for zero."""
_ALL_ZERO = _MIDDLE << _BITS | _MIDDLE
"""Two zeros in a byte."""
_IN_INT8 = 4
"""Level of accuracy at which ONNX Runtime rounds activations."""


def unpack_weight(context: Context, hit: Hit) -> Fix | None:
    """Write MatMulNBits as a MatMul with a DequantizeLinear of the same int4 values."""
    node = hit.place if isinstance(hit.place, Node) else None
    if node is None or node.qualified_op != "com.microsoft.MatMulNBits":
        return None
    data, packed, scales, points, order, bias = (node.input(at) for at in range(6))
    rows, columns = node.get_int("K"), node.get_int("N")
    block, result = node.get_int("block_size"), node.output()
    if data is None or result is None or not rows or not columns or not block or rows % block:
        return None
    if node.get_int("bits", _BITS) != _BITS or order is not None or not _are_middle(points):
        return None
    if packed is None or packed.tensor is None or not is_settled(packed) or not readable(scales):
        return None
    if packed.tensor.dtype is not DTYPES["uint8"] or packed.tensor.elements * 2 != rows * columns:
        return None
    if scales is None or scales.tensor is None or scales.tensor.elements * block != rows * columns:
        return None
    weight, scale, floats = (f"{packed.name}_{part}" for part in ("int4", "scales", "floats"))
    graph, dtype, blocks = node.graph, scales.tensor.dtype, rows // block
    product: Operand = f"{result.name}_product" if bias is not None else result
    made = [
        NewNode("DequantizeLinear", (weight, scale), (floats,), {"axis": 0, "block_size": block}),
        NewNode("MatMul", (data, floats), (product,), name=node.name),
    ]
    if bias is not None:
        made.append(NewNode("Add", (product, bias), (result,)))
    edits: tuple[GraphEdit, ...] = (
        AddTensor(weight, graph, DTYPES["int4"], (rows, columns), partial(_unpacked, packed, rows)),
        AddTensor(scale, graph, dtype, (blocks, columns), partial(_turned, scales, blocks)),
        *instead((node,), node, *made),
    )
    rounds = node.get_int("accuracy_level", 0) == _IN_INT8
    says = f"Writes MatMulNBits '{node.label}' as DequantizeLinear and MatMul."
    fix = Fix(edits, says, tolerance=STEPS if rounds else tolerance_of(result))
    return once_raised(context, graph, _FIRST_WITH_BLOCKS, fix)


def _are_middle(points: Value | None) -> bool:
    """Return True if zero points are left out, or all have the default value."""
    if points is None:
        return True
    stored = points.tensor.numpy() if points.tensor is not None and is_settled(points) else None
    if stored is None:
        return False
    return bool((stored == (_ALL_ZERO if stored.dtype.kind == "u" else _MIDDLE)).all())


def _unpacked(packed: Value, rows: int) -> NDArray[Any]:
    """Return the weights by rows and columns, from bytes of two by columns and blocks."""
    import numpy as np

    pairs = _stored(packed).reshape(-1)
    numbers = np.stack([pairs & 0xF, pairs >> _BITS], axis=-1).reshape(-1, rows)
    shifted = numbers.astype(np.int8) - _MIDDLE
    return shifted.T.astype(DTYPES["int4"].numpy)


def _turned(scales: Value, blocks: int) -> NDArray[Any]:
    return _stored(scales).reshape(-1, blocks).T


def _stored(value: Value) -> NDArray[Any]:
    stored = value.tensor.numpy() if value.tensor is not None else None
    if stored is None:
        raise EditError(f"the elements of '{value.name}' cannot be read")
    return stored
