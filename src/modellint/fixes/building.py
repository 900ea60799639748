"""Parts that fixes of several families build their edits from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from modellint.checks.api import Context
from modellint.fixes.conditions import is_droppable, is_settled
from modellint.formats.onnx.facts import onnx_facts
from modellint.model import DType, Graph, Node, Value
from modellint.model.edits import (
    AddTensor,
    EditError,
    Elements,
    GraphEdit,
    InsertNodes,
    NewNode,
    Operand,
    RemoveNodes,
    SetInput,
    SetTensor,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERANCES = {"float64": 1e-9, "float32": 1e-4, "float16": 2e-2, "bfloat16": 1e-1}
"""Largest difference of outputs, relative to their largest element, that another order of the same
arithmetic leads to in a network of many layers."""


def tolerance_of(value: Value) -> float | None:
    """Return the tolerance for a value's element type; None if it is not a plain float."""
    return TOLERANCES.get(value.dtype.name) if value.dtype is not None else None


def main_opset(context: Context, graph: Graph) -> int:
    """Return the version of ONNX's operators in a graph; 0 in functions, which have their own."""
    if graph.outermost is not context.model.graph:
        return 0
    return onnx_facts(context.model).opset or 0


def wide(value: Value) -> NDArray[Any]:
    """Return the elements of a stored constant as float64; raise EditError if unreadable."""
    stored = value.tensor.numpy() if value.tensor is not None else None
    if stored is None:
        raise EditError(f"the elements of '{value.name}' cannot be read")
    return stored.astype("float64")


def readable(*values: Value | None) -> bool:
    """Return True if all are stored as floats that are there and that no caller replaces."""
    return all(
        value is not None
        and value.tensor is not None
        and is_settled(value)
        and value.tensor.read is not None
        and value.tensor.dtype.name in TOLERANCES
        for value in values
    )


def narrowed(elements: NDArray[Any], dtype: DType) -> NDArray[Any]:
    """Return elements in another type; raise EditError if one overflows."""
    import numpy as np

    with np.errstate(over="ignore"):
        made = elements.astype(dtype.numpy)
    if np.isinf(made.astype("float64")).any() and not np.isinf(elements).any():
        raise EditError(f"a number is too large for {dtype}")
    return made


def reading(
    node: Node, index: int, name: str, dtype: DType, shape: tuple[int, ...], elements: Elements
) -> tuple[GraphEdit, ...]:
    """Let a node read other elements at an input, under the name of the old ones if it alone
    reads those."""
    old = node.input(index)
    if old is not None and _is_own(old):
        return (SetTensor(old, dtype, shape, elements),)
    return (AddTensor(name, node.graph, dtype, shape, elements), SetInput(node, index, name))


def _is_own(value: Value) -> bool:
    is_free = value.is_initializer and is_droppable(value) and not value.is_output
    return is_free and len(value.consumers) == 1


def instead(
    nodes: Iterable[Node], last: Node, *made: NewNode, kept: Iterable[Operand] = ()
) -> tuple[GraphEdit, ...]:
    """Replace nodes by others that make the outputs of the last one.

    Those of the nodes that something else reads stay, and so do the values that are `kept`.
    """
    read = {id(v) for node in made for v in node.inputs if isinstance(v, Value)}
    read |= {id(value) for value in kept if isinstance(value, Value)}
    insert = InsertNodes(last.graph, made, before=last)
    return (insert, RemoveNodes(_unneeded(nodes, last, read)))


def _unneeded(nodes: Iterable[Node], last: Node, read: set[int]) -> tuple[Node, ...]:
    """Return the last node, and those whose outputs only such nodes read."""
    removed = {id(last): last}
    left = {id(node): node for node in nodes if node is not last}
    while True:
        idle = {key: node for key, node in left.items() if _is_idle(node, removed, read)}
        if not idle:
            return tuple(removed.values())
        removed |= idle
        left = {key: node for key, node in left.items() if key not in idle}


def _is_idle(node: Node, removed: dict[int, Node], read: set[int]) -> bool:
    made = [value for value in node.outputs if value is not None]
    return not any(value.is_output or id(value) in read for value in made) and all(
        id(use.node) in removed for value in made for use in value.consumers
    )
