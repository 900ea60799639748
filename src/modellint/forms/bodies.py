"""Subgraphs of a node that a runtime does not convert, in words; an empty text if it may."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from modellint.forms.facts import Facts
from modellint.model import Node


def input_returned(_: Facts, node: Node) -> str:
    """Describe a loop whose body returns an input as it is."""
    body = node.subgraphs.get("body")
    returned = next((value for value in body.outputs if value.is_input), None) if body else None
    return f"a body that returns its input '{returned.name}' as it is" if returned else ""


def name_hidden(_: Facts, node: Node) -> str:
    """Describe a loop with an input of its body that is called like a value around it."""
    body = node.subgraphs.get("body")
    hidden = next((v for v in body.inputs if _is_around(node, v.name)), None) if body else None
    return f"a body whose input '{hidden.name}' hides a value of this name" if hidden else ""


def _is_around(node: Node, name: str) -> bool:
    """Return True if a node could read a value of this name, from its own graph outwards."""
    place: Node | None = node
    while place is not None:
        value = place.graph.values.get(name)
        maker = value.producer if value is not None else None
        if value is not None and (maker is None or maker.index < place.index):
            return True
        place = place.graph.parent
    return False


OF_NODE: Mapping[str, Callable[[Facts, Node], str]] = {
    "input-returned": input_returned,
    "name-hidden": name_hidden,
}
"""By the name that tables give them."""
