"""Structural identity of places, independent of names and positions in the file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import islice

from modellint.base.memo import Remembered
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


_SURROUNDINGS: Remembered[str] = Remembered()


def _around(node: Node) -> str:
    return node.graph.model.memo.get(_SURROUNDINGS, node, lambda: _describe_around(node))


def _describe_around(node: Node) -> str:
    """Return the node's kind, then the sorted kinds at each distance."""
    rings = [_kind(node)]
    seen = {id(node)}
    ring: list[Node] = [node]
    for _ in range(RADIUS):
        ring = _unseen(_neighbours(ring), seen)
        if not ring:
            break
        rings.append(",".join(sorted(map(_kind, ring))))
    return "|".join(rings)


def _unseen(nodes: Iterable[Node], seen: set[int]) -> list[Node]:
    """Return the nodes not seen before, and mark them as seen."""
    fresh = {id(node): node for node in nodes if id(node) not in seen}
    seen.update(fresh)
    return list(fresh.values())


def _neighbours(nodes: Iterable[Node]) -> Iterable[Node]:
    for node in nodes:
        yield from islice(node.predecessors, INPUTS)
        for value in node.outputs:
            if value is not None:
                yield from (use.node for use in value.consumers[:BREADTH])


_KINDS: Remembered[str] = Remembered()


def _kind(node: Node) -> str:
    return node.graph.model.memo.get(_KINDS, node, lambda: _describe(node))


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
