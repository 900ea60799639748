"""Groups of nodes that run together on an accelerator, formed as ONNX Runtime forms them.

A wave flows over the graph in topological order and collects the nodes that are taken. It goes
around a node that is not taken and reads nothing of the wave, and stops at one that does. The next
wave starts where it stopped. ONNX Runtime's providers for NNAPI, Core ML, WebNN and QNN do so
(onnxruntime/core/providers/partitioning_utils.cc, version 1.32).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from modellint.model import Node
from modellint.placement.added import AddedNodes


def waves(
    nodes: Sequence[Node],
    is_taken: Callable[[Node], bool],
    is_removed: Callable[[Node], bool] = lambda _: False,
    added: AddedNodes | None = None,
) -> list[list[Node]]:
    """Return the groups of taken nodes, in order; `nodes` are in topological order.

    What reads a removed node reads what that reads.
    """
    return _Waves(nodes, is_taken, readers_of(nodes, is_removed, added or AddedNodes())).groups


def readers_of(
    nodes: Sequence[Node], is_removed: Callable[[Node], bool], added: AddedNodes
) -> dict[int, list[Node]]:
    """Return the consumers of each node, by id."""
    here = {id(node) for node in nodes}
    direct = {id(node): readers(node, here, is_removed) for node in nodes}
    return {id(node): added.readers(node, lambda each: direct[id(each)]) for node in nodes}


class _Waves:
    def __init__(
        self,
        nodes: Sequence[Node],
        is_taken: Callable[[Node], bool],
        readers: Mapping[int, Sequence[Node]],
    ) -> None:
        self._is_taken = is_taken
        self._readers = readers
        self._waiting_for = {id(node): 0 for node in nodes}
        for node in nodes:
            for reader in self._readers[id(node)]:
                self._waiting_for[id(reader)] += 1
        self._ready = deque(node for node in nodes if not self._waiting_for[id(node)])
        self.groups = self._form()

    def _form(self) -> list[list[Node]]:
        groups: list[list[Node]] = []
        group: list[Node] = []
        border: set[int] = set()
        later: deque[Node] = deque()
        while self._ready or later:
            if not self._ready:
                groups.append(group)
                group, border = [], set()
                self._ready, later = later, deque()
                continue
            node = self._ready.popleft()
            taken = self._is_taken(node)
            if not taken and id(node) in border:
                later.append(node)
                continue
            if taken:
                group.append(node)
                border.update(id(reader) for reader in self._readers[id(node)])
            self._pass(node)
        return [each for each in [*groups, group] if each]

    def _pass(self, node: Node) -> None:
        for reader in self._readers[id(node)]:
            self._waiting_for[id(reader)] -= 1
            if not self._waiting_for[id(reader)]:
                self._ready.append(reader)


def readers(node: Node, here: Collection[int], is_removed: Callable[[Node], bool]) -> list[Node]:
    """Return the nodes, of those whose ids are given, that read an output, once for each edge."""
    return [reader for reader, _ in uses(node, here, is_removed)]


def uses(
    node: Node, here: Collection[int], is_removed: Callable[[Node], bool]
) -> Iterator[tuple[Node, int | None]]:
    """Iterate over the same, with the place of the input; None if a subgraph reads it.

    A removed node that reads a value twice passes it on once: in a row, they would double it.
    """
    waiting, passed = [node], {id(node)}
    while waiting:
        for value in waiting.pop().outputs:
            for use in value.consumers if value is not None else ():
                reader = use.node
                place: int | None = use.index
                while id(reader) not in here and reader.graph.parent is not None:
                    reader, place = reader.graph.parent, None  # a subgraph reads it for that node
                if id(reader) in here:
                    yield reader, place
                elif is_removed(reader) and id(reader) not in passed:
                    passed.add(id(reader))
                    waiting.append(reader)
