"""Groups of nodes that run on a GPU before it has to wait for the CPU.

A stage ends where the CPU computes with a copy of what the GPU has computed, and the GPU reads the
result. What the CPU computes from shapes alone ends none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from modellint.model import Node, Value


def stages(
    nodes: Sequence[Node],
    is_taken: Callable[[Node], bool],
    is_copied: Callable[[Node, Value], bool],
    source_of: Callable[[Value], Value] = lambda value: value,
) -> list[list[Node]]:
    """Return the groups of taken nodes, in order; `nodes` are in topological order.

    `is_copied` says whether the CPU needs a copy of what a node writes.
    """
    groups: dict[int, list[Node]] = defaultdict(list)
    known: dict[int, tuple[int, bool]] = {}
    for node in nodes:
        stage, waits = 0, False
        for value in filter(None, node.inputs):
            source = source_of(value)
            maker = source.producer
            if maker is None or id(maker) not in known:
                continue
            before, waited = known[id(maker)]
            if is_taken(node):
                stage = max(stage, before + waited)
            else:
                reached = before, waited or is_copied(maker, source)
                stage, waits = max((stage, waits), reached)
        known[id(node)] = stage, waits
        if is_taken(node):
            groups[stage].append(node)
    return [groups[stage] for stage in sorted(groups)]
