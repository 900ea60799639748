"""Fixes of graphs that contradict themselves, where only one repair is possible."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from modellint.analysis.duplicates import is_same_operation, same_in_full
from modellint.checks.api import Context, Hit
from modellint.model import Graph, Node
from modellint.model.edits import Fix, RemoveNodes, Reorder, Rewrite, SetShape
from modellint.operators import Trait, having

_CHANCE = having(Trait.RANDOM, Trait.DROPS)


def sort_nodes(context: Context, hit: Hit) -> Fix | None:
    """List every node after the producers of its inputs, and otherwise keep the order."""
    graph = _graph_of(context, hit)
    unsorted = [each for each in _around(graph) if each.nodes != each.ordered]
    if graph is None or not unsorted or not all(_is_sorted(each.ordered) for each in unsorted):
        return None
    edits = tuple(Reorder(each, tuple(each.ordered)) for each in unsorted)
    return Fix(edits, f"Sorts the nodes of '{graph.path}'.")


def _around(graph: Graph | None) -> Iterator[Graph]:
    """Iterate over a graph and those outside of it, which its nodes may read from, too."""
    while graph is not None:
        yield graph
        graph = graph.parent.graph if graph.parent is not None else None


def _graph_of(context: Context, hit: Hit) -> Graph | None:
    """Return the graph that a problem of the file is in."""
    graphs = context.model.graphs(functions=True)
    return next((graph for graph in graphs if graph.path == hit.facts["graph"]), None)


def _is_sorted(nodes: list[Node]) -> bool:
    """Return True unless the nodes depend on each other in a circle."""
    placed: set[Node] = set()
    for node in nodes:
        if not placed.issuperset(node.sources):
            return False
        placed.add(node)
    return True


def forget_shapes(context: Context, hit: Hit) -> Fix | None:
    """Drop the shapes that a node's results are recorded with: inference finds others."""
    node = hit.place
    if not isinstance(node, Node) or hit.variant != "recorded":
        return None
    stated = [value for value in node.outputs if value is not None and value.declared_shape]
    if any(value.is_output for value in stated):
        return None
    edits = tuple(SetShape(value, None) for value in stated)
    return Fix(edits, f"Drops the recorded shape of {node.op_type} '{node.label}'.")


def drop_repeated_producer(context: Context, hit: Hit) -> Fix | None:
    """Take out nodes that compute once more, from the same inputs, what another has computed."""
    graph, name = _graph_of(context, hit), hit.facts["value"]
    kept = graph.values.get(str(name)) if graph is not None else None
    if graph is None or kept is None or kept.producer is None:
        return None
    first = kept.producer
    later = [node for node in graph.nodes if node is not first and _makes(node, kept.name)]
    if not later or not all(_computes_the_same(node, first) for node in later):
        return None
    label = f"{first.op_type} of '{kept.name}'"
    return Fix((RemoveNodes(tuple(later)),), f"Keeps only the first {label}.")


def _makes(node: Node, name: str) -> bool:
    return any(value is not None and value.name == name for value in node.outputs)


def _computes_the_same(one: Node, other: Node) -> bool:
    return (
        one.op_type not in _CHANCE
        and not one.subgraphs
        and is_same_operation(one, other)
        and one.inputs == other.inputs
        and [value and value.name for value in one.outputs]
        == [value and value.name for value in other.outputs]
    )


def drop_repeated_initializer(context: Context, hit: Hit) -> Fix | None:
    """Drop initializers of a name that another one of the same elements has."""
    name = str(hit.facts["tensor"])
    first, *others = [tensor for tensor in context.model.tensors if tensor.name == name]
    if not others or not all(same_in_full(first, other) for other in others):
        return None
    return Fix(
        (Rewrite(lambda message: _with_first_of_name(message, name)),),
        f"Keeps only the first initializer '{name}'.",
    )


def _with_first_of_name(message: Any, name: str) -> Any:
    """Drop all but the first initializer of a name in the main graph."""
    stored = message.graph.initializer
    places = [place for place, tensor in enumerate(stored) if tensor.name == name]
    for place in reversed(places[1:]):
        del stored[place]
    return message
