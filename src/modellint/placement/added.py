"""Nodes that a runtime adds next to those of a file before it places them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from modellint.model import Node


class AddedNodes:
    """Nodes that are in no file, before or after one that is."""

    def __init__(self) -> None:
        self._before: dict[int, tuple[Node, ...]] = {}
        self._after: dict[int, tuple[Node, ...]] = {}
        self._next: dict[int, Node] = {}
        """The reader of a node, where it or that is an added one, by its id."""
        self._owner: dict[int, Node] = {}
        """The nodes of the file by the ids of those that were put next to them."""

    def put_before(self, node: Node, *added: Node) -> None:
        self._before[id(node)] = added
        self._chain(node, (*added, node))

    def put_after(self, node: Node, *added: Node) -> None:
        self._after[id(node)] = added
        self._chain(node, (node, *added))

    def _chain(self, owner: Node, nodes: Sequence[Node]) -> None:
        for node, following in pairwise(nodes):
            self._next[id(node)] = following
        self._owner |= {id(node): owner for node in nodes if node is not owner}

    def __contains__(self, node: Node) -> bool:
        """Return True for a node that is not in the file."""
        return id(node) in self._owner

    def steps(self, nodes: Iterable[Node]) -> tuple[Node, ...]:
        """Return the nodes with those that were added, in order."""
        found: list[Node] = []
        for node in nodes:
            found += [*self._before.get(id(node), ()), node, *self._after.get(id(node), ())]
        return tuple(found)

    def readers(self, node: Node, direct: Callable[[Node], list[Node]]) -> list[Node]:
        """Return what reads a node, given what reads a node in the file."""
        following = self._next.get(id(node))
        if following is not None:
            return [following]
        read = direct(self._owner.get(id(node), node))
        return [self._before.get(id(each), (each,))[0] for each in read]


def beside(node: Node, op: str, name: str) -> Node:
    """Return a node outside of any graph, which a runtime inserts next to another."""
    return Node(node.graph, node.index, op, "", f"{node.label}/{name}")
