"""Nodes that a compiler or delegate has put into a part, from what the part reads and writes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator

from modellint.model import Graph, Node, Value


def parts_of(
    borders: Iterable[tuple[Collection[Value], Collection[Value]]], left: Iterable[Node] = ()
) -> Iterator[tuple[Node, ...]]:
    """Iterate over the nodes of each part, in order, given what it reads and what it writes.

    A node is in the first part that needs it, unless it is among those that are left.
    """
    done = {id(node) for node in left}
    for reads, writes in borders:
        given = {id(value) for value in reads}
        pending, members = list(writes), []
        while pending:
            value = pending.pop()
            node = value.producer
            if node is not None and id(value) not in given and id(node) not in done:
                done.add(id(node))
                members.append(node)
                pending += [each for each in node.inputs if each is not None]
        yield tuple(sorted(members, key=lambda node: node.index))


def compiled_parts(
    graph: Graph, compiled: Graph, op: str
) -> tuple[tuple[tuple[Node, ...], ...], tuple[Node, ...]]:
    """Return the nodes of each part, for which a compiled file has an operator, and the others."""
    left = _counterparts(graph, [node for node in compiled.nodes if node.op_type != op])
    parts = [node for node in compiled.nodes if node.op_type == op]
    return tuple(parts_of(_borders(graph, parts), left)), left


def _counterparts(graph: Graph, remaining: list[Node]) -> tuple[Node, ...]:
    """Return the nodes of the model that are still in the compiled one."""
    places: dict[tuple[str, str], list[Node]] = defaultdict(list)
    for node in reversed(graph.nodes):
        places[key_of(node)].append(node)
    renamed: Counter[str] = Counter()
    found: list[Node] = []
    for node in remaining:
        if places[key_of(node)]:
            found.append(places[key_of(node)].pop())
        else:  # a compiler may rename results that it converts
            renamed[node.op_type] += 1
    for op, count in renamed.items():
        found += [node for node in graph.nodes if node.op_type == op and node not in found][:count]
    return tuple(found)


def _borders(
    graph: Graph, parts: Iterable[Node]
) -> Iterator[tuple[Collection[Value], Collection[Value]]]:
    """Iterate over what parts read and write, as values of the model."""
    named: dict[str, list[Value]] = defaultdict(list)
    for value in graph.values.values():
        named[_plain(value.name)].append(value)
    for part in parts:
        sides = (
            (value for value in side if value is not None) for side in (part.inputs, part.outputs)
        )
        reads, writes = ([each for v in side for each in named[_plain(v.name)]] for side in sides)
        yield reads, writes


def _results(node: Node) -> list[str]:
    return [_plain(value.name) for value in node.outputs if value is not None]


def _plain(name: str) -> str:
    """Return a name without the suffix that makes it unique."""
    stem, _, suffix = name.rpartition("#")
    return stem if suffix.isdigit() else name


def key_of(node: Node) -> tuple[str, str]:
    """Return the operator and the first result, which a node has in a compiled file, too."""
    return node.op_type, next(iter(_results(node)), "")
