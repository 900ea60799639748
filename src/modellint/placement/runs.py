"""Groups of nodes that run together on an accelerator whose layers run one after another."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from modellint.model import Node


def runs(nodes: Sequence[Node], is_taken: Callable[[Node], bool]) -> list[list[Node]]:
    """Return the groups of taken nodes between others, in order."""
    return [list(group) for taken, group in groupby(nodes, is_taken) if taken]


def lazily(
    nodes: Sequence[Node],
    is_taken: Callable[[Node], bool],
    readers: Callable[[Node], Iterable[Node]],
) -> list[Node]:
    """Return the nodes with each that is not taken as early as can be, after what it needs only."""
    needs: dict[int, list[Node]] = {id(node): [] for node in nodes}
    for node in nodes:
        for reader in readers(node):
            needs[id(reader)].append(node)
    order: dict[int, Node] = {}
    for node in nodes:
        if not is_taken(node):
            order |= {id(each): each for each in _with_needs(node, needs, order)}
    return [*order.values(), *(node for node in nodes if id(node) not in order)]


def _with_needs(
    node: Node, needs: Mapping[int, Sequence[Node]], done: Container[int]
) -> Iterator[Node]:
    """Iterate over a node and its pending dependencies, dependencies first."""
    waiting, seen = [(node, False)], set[int]()
    while waiting:
        each, is_ready = waiting.pop()
        if is_ready:
            yield each
        elif id(each) not in seen and id(each) not in done:
            seen.add(id(each))
            waiting.append((each, True))
            waiting += [(needed, False) for needed in reversed(needs[id(each)])]
