"""Subgraphs of a node that a runtime does not convert, in words; an empty text if it may."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from modellint.forms.facts import Facts
from modellint.model import Graph, Node, Value


def input_returned(_: Facts, node: Node) -> str:
    """Describe a loop whose body returns an input as it is."""
    body = node.subgraphs.get("body")
    returned = next((value for value in body.outputs if value.is_input), None) if body else None
    return f"a body that returns its input '{returned.name}' as it is" if returned else ""


def name_hidden(_: Facts, node: Node) -> str:
    """Describe a loop with an input of its body that is called like a value around it."""
    body = node.subgraphs.get("body")
    around = {value.name for value in _before(node)} if body else set()
    hidden = next((value for value in body.inputs if value.name in around), None) if body else None
    return f"a body whose input '{hidden.name}' hides a value of this name" if hidden else ""


def _before(node: Node | None) -> Iterator[Value]:
    """Iterate over the values that a node could read, from its own graph outwards."""
    while node is not None:
        graph: Graph = node.graph
        for value in graph.values.values():
            if value.producer is None or value.producer.index < node.index:
                yield value
        node = graph.parent


OF_NODE: Mapping[str, Callable[[Facts, Node], str]] = {
    "input-returned": input_returned,
    "name-hidden": name_hidden,
}
"""By the name that tables give them."""
