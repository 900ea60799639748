"""The critical path: the kernels that wait for each other longest, whatever else runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter

from modellint.analysis.latency import TimeEstimate
from modellint.model import Node


def critical_path(found: TimeEstimate) -> frozenset[int]:
    """Return the ids of the nodes whose kernels are on the longest chain of dependencies."""
    kernels = [layer.launch.nodes for layer in found.layers]
    seconds = [layer.seconds for layer in found.layers]
    kernel_of = {id(node): at for at, nodes in enumerate(kernels) for node in nodes}
    before = _before(kernels, kernel_of)
    ends: dict[int, float] = {}
    previous: dict[int, int] = {}
    for at in TopologicalSorter(dict(enumerate(before))).static_order():
        latest = max(before[at], key=lambda each: ends[each], default=None)
        if latest is not None:
            previous[at] = latest
        ends[at] = seconds[at] + (ends[latest] if latest is not None else 0.0)
    path: set[int] = set()
    last = max(ends, key=lambda at: ends[at], default=None)
    while last is not None:
        path.update(id(node) for node in kernels[last])
        last = previous.get(last)
    return frozenset(path)


def _before(
    kernels: Sequence[Sequence[Node]], kernel_of: Mapping[int, int]
) -> list[frozenset[int]]:
    """Return the kernels that each one waits for, through nodes that take no time."""
    through: dict[int, frozenset[int]] = {}
    graph = kernels[0][0].graph if kernels else None
    for node in graph.nodes if graph is not None else ():
        if id(node) in kernel_of:
            through[id(node)] = frozenset((kernel_of[id(node)],))
        else:
            found = [through[id(each)] for each in node.sources if id(each) in through]
            through[id(node)] = frozenset().union(*found)
    return [
        frozenset(
            kernel
            for node in nodes
            for source in node.sources
            for kernel in through.get(id(source), ())
            if kernel != at
        )
        for at, nodes in enumerate(kernels)
    ]
