"""Groups of nodes that run together on an accelerator, formed as ExecuTorch's partitioners do.

From the last node to the first, each group takes in all earlier ones that it can, neighbors or
not: any that no node outside lies between (exir/backend/canonical_partitioners, version 1.5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from modellint.model import Node
from modellint.placement.waves import readers


def unions(
    nodes: Sequence[Node],
    is_taken: Callable[[Node], bool],
    is_removed: Callable[[Node], bool] = lambda _: False,
) -> list[list[Node]]:
    """Return the groups of taken nodes, in order; `nodes` are in topological order.

    Sets of nodes are numbers with a bit for each, since most pairs of groups are compared.
    """
    here = {id(node): index for index, node in enumerate(nodes)}
    direct, below = [0] * len(nodes), [0] * len(nodes)
    for index in range(len(nodes) - 1, -1, -1):
        for reader in readers(nodes[index], here.keys(), is_removed):
            bit = here[id(reader)]
            direct[index] |= 1 << bit
            below[index] |= 1 << bit | below[bit]
    waiting = [index for index in range(len(nodes) - 1, -1, -1) if is_taken(nodes[index])]
    groups = []
    while waiting:
        first, *rest = waiting
        group, after, waiting = 1 << first, direct[first], []
        for index in rest:
            merged = group | 1 << index
            outside = (after | direct[index]) & ~merged
            if any(below[each] & merged for each in bits(outside)):
                waiting.append(index)
            else:
                group, after = merged, outside
        groups.append([nodes[each] for each in bits(group)])
    return sorted(groups, key=lambda group: here[id(group[0])])


def bits(number: int) -> Iterator[int]:
    """Iterate over the places of the bits that are set."""
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest
