"""Edits that take nodes out of a graph, with all that only these nodes need."""

from __future__ import annotations

from collections.abc import Iterable

from modellint.formats.onnx.facts import onnx_facts
from modellint.model import Node, Value
from modellint.model.edits import GraphEdit, RemoveNodes, RemoveTensor, Replace
from modellint.operators import Trait, having

FIRST_WITH_DEFAULTS = 4
"""IR version since which an initializer that is an input, too, is the input's default."""
_WRITING = having(Trait.WRITES_STATE)


def is_default(value: Value) -> bool:
    """Return True for a stored constant that a caller may replace."""
    ir_version = onnx_facts(value.graph.model).ir_version or 0
    return value.is_input and value.is_constant and ir_version >= FIRST_WITH_DEFAULTS


def is_settled(value: Value | None) -> bool:
    """Return True for a stored constant that no caller can replace."""
    return value is not None and value.is_constant and not is_default(value)


def is_droppable(value: Value) -> bool:
    """Return True for an initializer that only the graph's nodes can read."""
    return is_settled(value) and not onnx_facts(value.graph.model).training


def bypass(node: Node, by: Value | None, index: int = 0) -> tuple[GraphEdit, ...] | None:
    """Let what reads an output of a node read another value, and take the node out.

    None if that is not possible: the node has other results, or the name of the value means
    something else where it would be read.
    """
    output = node.output(index)
    if output is None or by is None or not is_readable_for(by, output):
        return None
    if any(is_read(value) for value in node.outputs if value is not output):
        return None
    return (Replace(output, by), *removal((node,), keep=by))


def is_readable_for(by: Value, value: Value) -> bool:
    """Return True if all that reads a value can read another one of the same kind by its name."""
    readers = {id(use.node.graph): use.node.graph for use in value.consumers}
    readers[id(value.graph)] = value.graph
    return by.type_name == value.type_name and all(
        graph.resolve(by.name) is by for graph in readers.values()
    )


def is_read(value: Value | None) -> bool:
    """Return True if a node or the caller uses a value."""
    return value is not None and (bool(value.consumers) or value.is_output)


def removal(nodes: Iterable[Node], keep: Value | None = None) -> tuple[GraphEdit, ...]:
    """Take out nodes whose results nothing reads, and what nothing but them has read.

    The value to `keep` is read by others in future.
    """
    gone: dict[int, Node] = {}
    tensors: dict[int, Value] = {}
    pending = list(nodes)
    while pending:
        node = pending.pop()
        if id(node) in gone:
            continue
        gone[id(node)] = node
        for value in _read_by(node):
            if value is keep or not _falls_with(value, gone):
                continue
            if value.producer is None:
                tensors[id(value)] = value
            elif _is_unneeded(value.producer, keep, gone):
                pending.append(value.producer)
    return (RemoveNodes(tuple(gone.values())), *map(RemoveTensor, tensors.values()))


def _read_by(node: Node) -> list[Value]:
    """Return the values that a node or one of its subgraphs reads."""
    inner = [
        each for graph in node.subgraphs.values() for sub in graph.walk() for each in sub.nodes
    ]
    return [value for each in (node, *inner) for value in each.inputs if value is not None]


def _falls_with(value: Value, gone: dict[int, Node]) -> bool:
    """Return True if only nodes that are gone read a value, which is not an input."""
    if value.is_output or (value.producer is None and not is_droppable(value)):
        return False
    return all(_is_inside(use.node, gone) for use in value.consumers)


def _is_unneeded(node: Node, keep: Value | None, gone: dict[int, Node]) -> bool:
    if node.op_type in _WRITING or keep in node.outputs:
        return False
    made = [value for value in node.outputs if value is not None]
    return all(_falls_with(value, gone) for value in made)


def _is_inside(node: Node, gone: dict[int, Node]) -> bool:
    """Return True if a node is gone, or in a subgraph of one that is."""
    here: Node | None = node
    while here is not None:
        if id(here) in gone:
            return True
        here = here.graph.parent
    return False
