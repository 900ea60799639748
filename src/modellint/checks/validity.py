"""Graphs that contradict themselves."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.checks.api import Context, Hit
from modellint.finding import Severity
from modellint.model import Contradiction, Model, Node


def shapes_contradict(context: Context) -> Iterator[Hit]:
    """A node with invalid inputs, or whose output is recorded with a different shape."""
    found = context.model.infer_strictly().contradiction
    if found is None:
        return
    node = _find(context.model, found)
    label = node.label if node is not None else found.node
    place = f"{found.op_type} '{label}'" if label else f"A node {found.op_type}"
    facts = {"place": place, "detail": found.detail.rstrip(".")}
    if found.recorded:
        yield Hit(node, facts, variant="recorded", severity=Severity.WARNING)
    else:
        yield Hit(node, facts)


def _find(model: Model, contradiction: Contradiction) -> Node | None:
    """Return the node of a contradiction, unless ambiguous."""
    nodes = [
        node
        for node in model.nodes(functions=True)
        if node.op_type == contradiction.op_type and node.name == contradiction.node
    ]
    return nodes[0] if len(nodes) == 1 else None
