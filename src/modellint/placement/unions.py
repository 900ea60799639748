"""Groups of nodes that run together on an accelerator, formed as ExecuTorch's partitioners do.

From the last node to the first, each group takes in all earlier ones that it can, neighbors or
not: any that no node outside lies between (exir/backend/canonical_partitioners, version 1.5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from modellint.model import Node
from modellint.placement.pieces import OperatorPiece, is_whole
from modellint.placement.waves import uses


def unions(
    nodes: Sequence[Node],
    is_taken: Callable[[Node], bool],
    is_removed: Callable[[Node], bool] = lambda _: False,
    pieces_of: Callable[[Node], Sequence[OperatorPiece]] = lambda _: (),
) -> list[list[Node]]:
    """Return the groups of taken nodes, in order; `nodes` are in topological order.

    `pieces_of` returns what a node that is not taken is written out as: it is in the groups of all
    its pieces.
    """
    steps = _Steps()
    for node in nodes:
        steps.add(node, [is_whole(taken=True)] if is_taken(node) else pieces_of(node))
    here = {id(node) for node in nodes}
    for node in nodes:
        for reader, place in uses(node, here, is_removed):
            steps.connect(node, reader, place)
    groups = [
        list({id(node): node for each in group for node in [steps.nodes[each]]}.values())
        for group in grouped(steps.readers, steps.taken)
    ]
    place_of = {id(node): index for index, node in enumerate(nodes)}
    return sorted(groups, key=lambda group: place_of[id(group[0])])


class _Steps:
    """Nodes in the pieces that they are written out as, numbered in topological order."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.taken: list[bool] = []
        self.readers: list[int] = []
        """The steps that read each, as a number with a bit for each."""
        self._entries: dict[int, list[tuple[int, OperatorPiece]]] = {}
        self._last: dict[int, int] = {}

    def add(self, node: Node, pieces: Sequence[OperatorPiece]) -> None:
        at: dict[str, int] = {}
        self._entries[id(node)] = []
        for piece in pieces or (is_whole(taken=False),):
            number = at[piece.name] = len(self.nodes)
            self.nodes.append(node)
            self.taken.append(piece.taken)
            self.readers.append(0)
            for name in piece.after:
                self.readers[at[name]] |= 1 << number
            self._entries[id(node)].append((number, piece))
            self._last[id(node)] = number

    def connect(self, node: Node, reader: Node, place: int | None) -> None:
        """Let a node read the last piece of another one, by those of its own that do."""
        for number, piece in self._entries[id(reader)]:
            if piece.reads is None or place is None or place in piece.reads:
                self.readers[self._last[id(node)]] |= 1 << number


def grouped(readers: Sequence[int], taken: Sequence[bool]) -> Iterable[list[int]]:
    """Return groups of the steps that are taken, by the steps that read each.

    Sets of steps are numbers with a bit for each, since most pairs of groups are compared.
    """
    below = [0] * len(readers)
    for index in range(len(readers) - 1, -1, -1):
        for reader in bits(readers[index]):
            below[index] |= 1 << reader | below[reader]
    waiting = [index for index in range(len(readers) - 1, -1, -1) if taken[index]]
    while waiting:
        first, *rest = waiting
        group, after, waiting = 1 << first, readers[first], []
        for index in rest:
            merged = group | 1 << index
            outside = (after | readers[index]) & ~merged
            if any(below[each] & merged for each in bits(outside)):
                waiting.append(index)
            else:
                group, after = merged, outside
        yield list(bits(group))


def bits(number: int) -> Iterator[int]:
    """Iterate over the places of the bits that are set."""
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest
