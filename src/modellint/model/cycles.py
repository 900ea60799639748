"""Cycles of broken graphs, cut once when a file has been read: to follow edges comes to an end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modellint.model.graph import Graph, Node, Value
from modellint.model.model import Model, Problem

CYCLE = "graph-cycle"


def cut_cycles(model: Model) -> Problem | None:
    """Leave each value that a cycle comes back to without a maker; return where one is."""
    cycles = [_cut_in(graph) for graph in model.graphs(functions=True) if not _is_sorted(graph)]
    return next(filter(None, cycles), None)


def _cut_in(graph: Graph) -> Problem | None:
    closing = list(_closing(graph))
    _cut(value for _, value in closing)
    if not closing:
        return None
    node, value = closing[0]
    place = {"node": node.label, "op": node.op_type, "graph": graph.path}
    return Problem(CYCLE, {"value": value.name, **place}, value.name)


def _is_sorted(graph: Graph) -> bool:
    return all(source.index < node.index for node in graph.nodes for source in node.sources)


def _closing(graph: Graph) -> Iterator[tuple[Node, Value]]:
    """Walk against the edges; iterate over the values read of nodes that wait for the reader."""
    seen: set[Node] = set()
    waiting: set[Node] = set()
    for first in graph.nodes:
        entered = first if first not in seen else None
        way: list[tuple[Node, Iterator[Node]]] = []
        while entered is not None or way:
            if entered is not None:
                seen.add(entered)
                waiting.add(entered)
                way.append((entered, iter(entered.sources)))
                yield from ((entered, each) for each in entered.read if each.producer in waiting)
            node, sources = way[-1]
            entered = next((each for each in sources if each not in seen), None)
            if entered is None:
                way.pop()
                waiting.discard(node)


def _cut(values: Iterable[Value]) -> None:
    """Give the values' makers others in their place, which nothing reads."""
    unread = {value: _twin(value) for value in values}
    for maker in {value.producer for value in unread}:
        if maker is not None:
            outputs = (each if each is None else unread.get(each, each) for each in maker.outputs)
            maker.outputs = tuple(outputs)
    for value in unread:
        value.producer = None


def _twin(value: Value) -> Value:
    twin = Value(value.name, value.graph)
    twin.producer, twin.index = value.producer, value.index
    twin.declare(value.declared_dtype, value.declared_shape)
    return twin
