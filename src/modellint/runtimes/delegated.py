"""Nodes that a compiler or delegate has put into a part, from what the part reads and writes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from modellint.model import Node, Value


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
