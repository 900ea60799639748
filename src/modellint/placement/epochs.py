"""Groups of nodes that run together on an accelerator, formed as LiteRT forms them for delegates.

An epoch begins with the first node that has all it reads, and goes on, in the file's order, with
those of the same unit. When none is ready any longer, the next epoch begins
(tflite/graph_info.cc, LiteRT 2.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from modellint.model import Node


def epochs(nodes: Sequence[Node], is_taken: Callable[[Node], bool]) -> list[list[Node]]:
    """Return the groups of taken nodes, in order."""
    here = {id(node) for node in nodes}
    groups: list[list[Node]] = []
    done: set[int] = set()
    waiting = list(nodes)
    while waiting:
        unit: bool | None = None
        group: list[Node] = []
        for node in waiting:
            needs = (id(each) for each in node.predecessors)
            if all(need in done or need not in here for need in needs):
                unit = is_taken(node) if unit is None else unit
                if is_taken(node) == unit:
                    done.add(id(node))
                    group.append(node)
        if not group:  # a graph in a circle
            break
        waiting = [node for node in waiting if id(node) not in done]
        if unit:
            groups.append(group)
    return groups
