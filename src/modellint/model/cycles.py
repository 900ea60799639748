"""Cycles of broken graphs, cut once when a file has been read: to follow edges comes to an end."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.model.graph import Graph, Node, Value
from modellint.model.model import Model, Problem

UNSORTED = "unsorted-graph"


def cut_cycles(model: Model) -> None:
    """Leave each value that a cycle comes back to without a maker; report an unsorted graph."""
    for graph in model.graphs(functions=True):
        if not _is_sorted(graph):
            cut = [(node, value) for node, value in _closing(graph) if _cut(value)]
            if cut and not any(each.kind == UNSORTED for each in model.problems):
                model.problems.append(_unsorted(graph, *cut[0], len({node for node, _ in cut})))


def _is_sorted(graph: Graph) -> bool:
    return all(source.index < node.index for node in graph.nodes for source in node.sources)


def _closing(graph: Graph) -> Iterator[tuple[Node, Value]]:
    """Walk against the edges; iterate over the values read of nodes that wait for the reader."""
    done: set[Node] = set()
    for first in graph.nodes:
        way = [(first, iter(first.sources))]
        waiting = {first}
        while way and first not in done:
            node, sources = way[-1]
            for source in sources:
                if source in waiting:
                    yield from ((node, value) for value in node.read if value.producer is source)
                elif source not in done:
                    waiting.add(source)
                    way.append((source, iter(source.sources)))
                    break
            else:
                way.pop()
                waiting.discard(node)
                done.add(node)


def _cut(value: Value) -> bool:
    """Give the value's maker another one, which nothing reads; return False if it has none."""
    maker = value.producer
    if maker is None:
        return False
    unread = Value(value.name, value.graph)
    unread.producer, unread.index = maker, value.index
    unread.declare(value.declared_dtype, value.declared_shape)
    maker.outputs = tuple(unread if each is value else each for each in maker.outputs)
    value.producer = None
    return True


def _unsorted(graph: Graph, node: Node, value: Value, nodes: int) -> Problem:
    place = {"node": node.label, "op": node.op_type, "graph": graph.path}
    return Problem(UNSORTED, {"value": value.name, **place, "nodes": nodes}, value.name)
