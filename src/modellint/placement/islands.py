"""Connected groups of nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from modellint.model import Node
from modellint.placement.waves import readers


def islands(
    nodes: Sequence[Node], is_removed: Callable[[Node], bool] = lambda _: False
) -> list[list[Node]]:
    """Return the groups of nodes that are connected by values, also through removed nodes."""
    here = {id(node) for node in nodes}
    home = {id(node): [node] for node in nodes}
    for node in nodes:
        for reader in readers(node, here, is_removed):
            small, large = sorted((home[id(node)], home[id(reader)]), key=len)
            if small is not large:
                large += small
                home.update((id(moved), large) for moved in small)
    place = {id(node): index for index, node in enumerate(nodes)}
    groups = {id(group): group for group in home.values()}.values()
    return [sorted(group, key=lambda node: place[id(node)]) for group in groups]
