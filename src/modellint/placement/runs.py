"""Groups of nodes that run together on an accelerator whose layers run one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from modellint.model import Node


def runs(nodes: Sequence[Node], is_taken: Callable[[Node], bool]) -> list[list[Node]]:
    """Return the groups of taken nodes between others, in order."""
    return [list(group) for taken, group in groupby(nodes, is_taken) if taken]


def early(
    nodes: Sequence[Node],
    is_taken: Callable[[Node], bool],
    readers: Callable[[Node], Iterable[Node]],
) -> list[Node]:
    """Return the nodes with those first that are not taken and read nothing that is."""
    late: set[int] = set()
    for node in nodes:
        if is_taken(node) or id(node) in late:
            late.add(id(node))
            late.update(id(reader) for reader in readers(node))
    return sorted(nodes, key=lambda node: id(node) in late)
