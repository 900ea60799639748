"""Blocks of a graph, each with all its nodes, and stacks of blocks that follow each other.

Groups can be drawn as one node each: none is left and entered again on a way through the graph.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence

from modellint.analysis.blocks import LONGEST, GraphBlock
from modellint.base.records import dataclass
from modellint.model import Graph, Node, Value

MOST_NODES = 3 * LONGEST
"""Limit on the nodes of a block, as they are drawn."""
NEAR = 16
"""Limit on the nodes between the end of a block and the start of the next one."""


@dataclass(frozen=True, slots=True)
class BlockStack:
    """Blocks of one kind, each of which continues the one before."""

    kind: str
    blocks: list[list[Node]]

    @property
    def nodes(self) -> Iterator[Node]:
        return (node for block in self.blocks for node in block)


def stacks(graph: Graph, found: Iterable[GraphBlock]) -> list[BlockStack]:
    """Return the stacks of a graph, in its order; a block on its own is a stack of one."""
    whole = _outermost(graph, found)
    runs = _runs(whole)
    kept = _without_cycles(graph, runs)
    if len(kept) < len(runs):  # blocks of a stack that cannot be drawn as one may still be
        gone = [run for run in runs if not any(run is each for each in kept)]
        alone = [BlockStack(run.kind, [block]) for run in gone for block in run.blocks]
        kept = _without_cycles(graph, [*kept, *alone])
    _add_own(graph, kept)
    return sorted(kept, key=lambda stack: next(stack.nodes).index)


@dataclass(slots=True)
class _Whole:
    """A block and everything that is only between its start and its end."""

    block: GraphBlock
    nodes: list[Node]
    before: Node | None = None
    """The end of the block that it continues."""


def _outermost(graph: Graph, found: Iterable[GraphBlock]) -> list[_Whole]:
    blocks = sorted(
        (block for block in found if block.kind != "squeeze and excitation"),
        key=lambda block: (block.end.index, -len(block.nodes)),
    )
    larger = {
        id(node): block for block in blocks if block.kind == "transformer" for node in block.nodes
    }
    taken: set[int] = set()
    whole = []
    ends: dict[int, _Whole] = {}
    for block in blocks:
        if block.kind != "transformer" and id(block.end) in larger:
            continue
        nodes = [node for node in _between(block) if id(node) not in taken]
        if len(nodes) < 2 or len(nodes) > MOST_NODES:
            continue
        one = _Whole(block, nodes)
        previous = _previous(block.source, ends)
        if previous is not None:
            tail = [node for node in _after(previous, block) if id(node) not in taken]
            previous.nodes += tail
            taken.update(map(id, tail))
            one.before = previous.block.end
            one.nodes = [node for node in nodes if id(node) not in taken]
        taken.update(map(id, one.nodes))
        ends[id(block.end)] = one
        whole.append(one)
    return [one for one in whole if len(one.nodes) > 1]


def _between(block: GraphBlock) -> list[Node]:
    """Return all nodes that lead to the end and come after the start, in order."""
    start = block.source.producer
    earliest = start.index if start is not None else -1
    graph = block.end.graph
    found: dict[int, Node] = {}
    pending = [block.end, *block.nodes]
    while pending and len(found) <= MOST_NODES:
        node = pending.pop()
        if id(node) in found or node.index <= earliest or node.graph is not graph:
            continue
        found[id(node)] = node
        pending += node.predecessors
    return sorted(found.values(), key=lambda node: node.index)


def _previous(source: Value, ends: Mapping[int, _Whole]) -> _Whole | None:
    """Return the block that ends last before a value, among those near to it."""
    found = [ends[id(node)] for node in _leading_to(source) if id(node) in ends]
    return max(found, key=lambda each: each.block.end.index, default=None)


def _after(previous: _Whole, block: GraphBlock) -> list[Node]:
    """Return the nodes from the end of a block to the start of the next one, in order."""
    end = previous.block.end.index
    nodes = [node for node in _leading_to(block.source) if node.index > end]
    return sorted(nodes, key=lambda node: node.index)


def _leading_to(value: Value) -> list[Node]:
    """Return the nearest nodes before a value."""
    found: dict[int, Node] = {}
    pending = deque([value.producer])
    while pending and len(found) < NEAR:
        node = pending.popleft()
        if node is not None and id(node) not in found and node.graph is value.graph:
            found[id(node)] = node
            pending += node.predecessors
    return list(found.values())


def _runs(blocks: Iterable[_Whole]) -> list[BlockStack]:
    open_runs: dict[int, tuple[str, list[list[Node]]]] = {}
    runs: list[tuple[str, list[list[Node]]]] = []
    for one in blocks:
        before = open_runs.pop(id(one.before), None) if one.before is not None else None
        if before is not None and before[0] == one.block.kind:
            before[1].append(one.nodes)
            open_runs[id(one.block.end)] = before
        else:
            run = (one.block.kind, [one.nodes])
            runs.append(run)
            open_runs[id(one.block.end)] = run
    return [BlockStack(kind, nodes) for kind, nodes in runs]


def _add_own(graph: Graph, found: Sequence[BlockStack]) -> None:
    """Add to each block the nodes that only it reads, and that read nothing from outside it."""
    blocks = [block for stack in found for block in stack.blocks]
    at: dict[int, int] = {id(node): at for at, block in enumerate(blocks) for node in block}
    for node in reversed(graph.ordered):
        if id(node) in at or any(value is not None and value.is_output for value in node.outputs):
            continue
        readers = {at.get(id(each), -1) for each in node.successors}
        if len(readers) == 1 and -1 not in readers:
            block = readers.pop()
            if all(at.get(id(each)) == block for each in node.sources):
                at[id(node)] = block
                blocks[block].append(node)


def _without_cycles(graph: Graph, groups: Sequence[BlockStack]) -> list[BlockStack]:
    """Return the groups that lie on no cycle, once each is one node."""
    kept = list(groups)
    while kept:
        units: dict[int, int] = {
            id(node): at for at, group in enumerate(kept) for node in group.nodes
        }
        bad = _on_cycles(graph, units, len(kept))
        if not bad:
            break
        kept = [group for at, group in enumerate(kept) if at not in bad]
    return kept


def _on_cycles(graph: Graph, units: dict[int, int], groups: int) -> set[int]:
    """Return the groups that are on a cycle or between two of them."""
    of_node = {id(node): units.get(id(node), groups + at) for at, node in enumerate(graph.nodes)}
    after: dict[int, set[int]] = {}
    before: dict[int, set[int]] = {}
    for node in graph.nodes:
        here = of_node[id(node)]
        after.setdefault(here, set())
        before.setdefault(here, set())
        for source in node.sources:
            there = of_node[id(source)]
            if there != here:
                after.setdefault(there, set()).add(here)
                before[here].add(there)
    left = _trimmed(set(after), after, before)
    return {unit for unit in _trimmed(left, before, after) if unit < groups}


def _trimmed(units: set[int], after: dict[int, set[int]], before: dict[int, set[int]]) -> set[int]:
    """Return what is left after repeatedly removing everything without predecessors."""
    waiting = {unit: len(before[unit] & units) for unit in units}
    ready = [unit for unit, count in waiting.items() if not count]
    left = set(units)
    while ready:
        unit = ready.pop()
        left.discard(unit)
        for each in after[unit]:
            if each in waiting:
                waiting[each] -= 1
                if not waiting[each]:
                    ready.append(each)
    return left
