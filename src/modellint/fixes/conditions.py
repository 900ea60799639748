"""Facts about values that fixes rely on, the bypassing of nodes, and small constants."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from modellint.formats.onnx.facts import is_default, onnx_facts
from modellint.model import DTYPES, DType, Graph, Node, Value, is_static
from modellint.model.edits import AddTensor, GraphEdit, RemoveNodes, Replace

if TYPE_CHECKING:
    from numpy.typing import NDArray


def opset_of(graph: Graph) -> int:
    """Return the version of the default operator set that a graph's nodes are of; 0 if none."""
    return onnx_facts(graph.model).opsets_of(graph).get("", 0)


def is_settled(value: Value | None) -> bool:
    """Return True for a stored constant that no caller can replace."""
    return value is not None and value.is_constant and not is_default(value)


def is_droppable(value: Value) -> bool:
    """Return True for an initializer that only the graph's nodes can read."""
    return is_settled(value) and not onnx_facts(value.graph.model).training


def is_read(value: Value | None) -> bool:
    """Return True if a node or the caller uses a value."""
    return value is not None and (bool(value.consumers) or value.is_output)


def keeps_shape(node: Node) -> bool:
    """Return True if a node's first input and output have one shape, without open dims."""
    source, output = node.input(0), node.output()
    if source is None or output is None:
        return False
    return is_static(source.shape) and source.shape == output.shape


def bypass(node: Node, by: Value | None) -> tuple[GraphEdit, ...] | None:
    """Let what reads a node's first output read another value, and take the node out.

    None if something reads its other outputs.
    """
    output = node.output()
    if output is None or by is None or any(map(is_read, node.outputs[1:])):
        return None
    return (Replace(output, by), RemoveNodes((node,)))


def integers(name: str, graph: Graph, numbers: Sequence[int]) -> AddTensor:
    """Store integers, such as axes or sizes."""
    return AddTensor(name, graph, DTYPES["int64"], (len(numbers),), partial(_array, numbers))


def _array(numbers: Sequence[int]) -> NDArray[Any]:
    import numpy as np

    return np.array(numbers, np.int64)


def computed(name: str, graph: Graph, array: NDArray[Any], dtype: DType) -> AddTensor:
    """Store elements that are known already."""
    return AddTensor(name, graph, dtype, array.shape, partial(_as_is, array))


def _as_is(array: NDArray[Any]) -> NDArray[Any]:
    return array
