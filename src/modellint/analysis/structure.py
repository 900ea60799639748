"""Structural identity of places, independent of names and positions in the file."""

from __future__ import annotations

import hashlib
from itertools import islice

from modellint.base.memo import Kept, Remembered
from modellint.model import Graph, Node, Tensor, Value

RADIUS = 3
"""Radius of the neighborhood, in edges."""
BREADTH = 8
"""Limit on consumers per value; otherwise hubs would make the neighborhood the whole graph."""
INPUTS = 32
"""Limit on inputs per node, for the same reason."""


def place_digest(place: Node | Value | Graph | Tensor | None) -> str:
    """Return a digest of a place's neighborhood that survives renaming and reordering."""
    if place is None:
        text = "file"
    elif isinstance(place, Graph):
        text = f"graph depth {_depth(place)}"
    elif isinstance(place, Tensor):
        text = f"tensor {place.name} {place.dtype} {place.shape}"
    elif isinstance(place, Node):
        text = "node " + _around(place)
    else:
        text = "value " + _value(place)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _depth(graph: Graph) -> int:
    depth, parent = 0, graph.parent
    while parent is not None:
        depth, parent = depth + 1, parent.graph.parent
    return depth


def _value(value: Value) -> str:
    role = "input" if value.is_input else "output" if value.is_output else "inner"
    around = [f"<{_around(value.producer)}:{value.index}"] if value.producer is not None else []
    around += sorted(f">{_around(use.node)}:{use.index}" for use in value.consumers[:BREADTH])
    return f"{role} {_tensor(value)} {' '.join(around)}"


class _Surroundings:
    """Facts of a model's structure, kept since places share their neighborhoods."""

    def __init__(self) -> None:
        self.kinds = Kept(_describe)
        self.neighbours = Kept(_neighbours)
        self.described = Kept(self._describe_around)

    def _describe_around(self, node: Node) -> str:
        """Return the node's kind, then the sorted kinds at each distance."""
        rings = [self.kinds[node]]
        ring = seen = {node}
        for _ in range(RADIUS):
            ring = {near for each in ring for near in self.neighbours[each]} - seen
            if not ring:
                break
            seen = seen | ring
            rings.append(",".join(sorted([self.kinds[each] for each in ring])))
        return "|".join(rings)


_SURROUNDINGS: Remembered[_Surroundings] = Remembered()


def _around(node: Node) -> str:
    return node.graph.model.memo.get(_SURROUNDINGS, None, _Surroundings).described[node]


def _neighbours(node: Node) -> list[Node]:
    found = list(islice(node.predecessors, INPUTS))
    for value in node.outputs:
        if value is not None:
            found += [use.node for use in value.consumers[:BREADTH]]
    return found


def _describe(node: Node) -> str:
    constants = ";".join(_tensor(value) for value in node.inputs if value is not None)
    attributes = ";".join(
        f"{name}={value!r}"
        for name, value in sorted(node.attributes.items())
        if not isinstance(value, (Tensor, bytes))
    )
    return f"{node.qualified_op}({constants}){{{attributes}}}#{len(node.outputs)}"


def _tensor(value: Value) -> str:
    tensor = value.tensor
    return f"{tensor.dtype}{list(tensor.shape)}" if tensor is not None else ""
