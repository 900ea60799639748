"""Liveness of tensors, and the peak memory they need.

>>> live = liveness(model, deployment)
>>> live.peak, live.peak_node            # with views and in-place reuse
>>> live.apart.peak                      # without any memory reuse between tensors
>>> [(tensor.name, tensor.nbytes) for tensor in live.at_peak]
>>> live.shared.timeline                 # bytes alive at each step of `live.order`
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

from modellint.analysis.assume import settle
from modellint.analysis.cost.traffic import sizes_of
from modellint.analysis.folding import Folding
from modellint.analysis.laying_out import lay_out
from modellint.analysis.programs import (
    Alive,
    Buffer,
    Layout,
    Profile,
    Program,
    best_profile,
    profile,
)
from modellint.analysis.shapes import DeployedTypes
from modellint.model import Graph, Model, Node, Value
from modellint.targets.deployment import Deployment


class Liveness:
    """Memory over time of a deployed model, including inputs and outputs."""

    def __init__(self, model: Model, deployment: Deployment) -> None:
        settled = settle(model, deployment)
        self.assumed = settled.assumed
        self._folding = Folding(model, settled.deployment)
        self._sizes = Sizes(self._folding.types, deployment.precision)
        self.unknown: list[Value] = []
        """Tensors of unknown size, which are not counted."""
        self.program = self._program(model.graph)

    @cached_property
    def shared(self) -> Profile:
        """Return the profile with views and in-place reuse, in the better of two orders."""
        return best_profile(self.program)

    @cached_property
    def apart(self) -> Profile:
        """Return the profile of the same order without memory reuse."""
        return profile(self.program, self.shared.order, in_place=False)

    @property
    def order(self) -> tuple[Node, ...]:
        """Return the nodes in a topological order that saves memory."""
        return tuple(node for task in self.shared.order for node in task.nodes)

    @property
    def peak(self) -> int:
        return self.shared.peak

    @property
    def peak_node(self) -> Node | None:
        return self.shared.peak_node

    @property
    def at_peak(self) -> list[Alive]:
        """Return the tensors alive at the peak, largest first."""
        return self.shared.alive_at(self.shared.peak_step)

    def _program(self, graph: Graph) -> Program:
        tasks = [(node,) for node in graph.ordered if not self._folding.is_folded(node)]
        layout = lay_out(graph, tasks, self._folding)
        return sized(layout, self._sizes, self.unknown, inside=self._inside)

    def _inside(self, node: Node) -> int:
        """Return the memory of the largest branch; a loop's body holds carried values twice."""
        return max(
            (best_profile(self._program(graph)).peak for graph in node.subgraphs.values()),
            default=0,
        )


def liveness(model: Model, deployment: Deployment) -> Liveness:
    """Run the analysis: ``context.analysis(liveness)``."""
    return Liveness(model, deployment)


class Sizes:
    """Sizes of values in a deployment."""

    def __init__(self, types: DeployedTypes, precision: str | None) -> None:
        self.types = types
        self.of = sizes_of(types, precision).__getitem__


def sized(
    layout: Layout, sizes: Sizes, unknown: list[Value], *, inside: Callable[[Node], int]
) -> Program:
    """Return the program for a deployment; values of unknown size are added to `unknown`."""
    buffers = []
    for value, held in zip(layout.values, layout.held, strict=True):
        size = sizes.of(value)
        if size is None:
            unknown.append(value)
        buffers.append(Buffer(value, size or 0, held, sizes.types.shape(value)))
    tasks = [
        replace(task, inside=sum(inside(node) for node in task.nodes if node.subgraphs))
        if any(node.subgraphs for node in task.nodes)
        else task
        for task in layout.tasks
    ]
    return Program(layout, tasks, buffers)
