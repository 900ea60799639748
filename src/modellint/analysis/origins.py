"""Origin of values: the file, the shapes of other values, or data."""

from __future__ import annotations

from enum import IntEnum

from modellint.model import Graph, Model, Node, Value
from modellint.operators import Trait, having
from modellint.targets.deployment import Deployment

_RANDOM = having(Trait.RANDOM)
_READS_SHAPE = having(Trait.READS_SHAPE)


class Origin(IntEnum):
    """Origins in increasing order of precedence: the sum of a shape and data is data."""

    CONSTANT = 0
    SHAPE = 1
    DATA = 2


MOST_VISITS = 4
"""Visits of a function's body, each because a call gives more of its inputs another origin."""


class Origins:
    """Origins of all values of a model. Unknown origins count as data."""

    def __init__(self, model: Model, deployment: Deployment) -> None:
        del deployment  # the same for all
        self._origins: dict[Value, Origin] = {}
        self._visits: dict[Graph, int] = {}
        self._pending: list[Graph] = []
        for graph in (model.graph, *model.functions.values()):
            if graph not in self._visits:  # else something calls it
                self._pending.append(graph)
            while self._pending:
                self._visit(self._pending.pop())

    def of(self, value: Value | None) -> Origin:
        """Return the origin of a value. Omitted inputs are constants: their defaults."""
        if value is None or value.is_constant:
            return Origin.CONSTANT
        return self._origins.get(value, Origin.DATA)

    def _call(self, node: Node, body: Graph) -> None:
        """Add the origins of a call's arguments to the inputs of the function."""
        visits = self._visits.get(body, 0)
        if visits > MOST_VISITS:
            return
        given = [*map(self.of, node.inputs), *[Origin.CONSTANT] * len(body.inputs)]
        changed = visits == 0
        for formal, passed in zip(body.inputs, given, strict=False):
            origin = Origin.DATA if visits == MOST_VISITS else passed
            changed |= origin > self._origins.get(formal, Origin.CONSTANT)
            self._origins[formal] = max(origin, self._origins.get(formal, Origin.CONSTANT))
        if changed:
            self._visits[body] = visits + 1
            self._pending.append(body)

    def _visit(self, graph: Graph) -> None:
        self._visits.setdefault(graph, 1)
        for node in graph.ordered:
            body = graph.model.function_of(node)
            if body is not None:
                self._call(node, body)
            for subgraph in node.subgraphs.values():
                self._visit(subgraph)
            origin = self._of_node(node)
            for value in node.outputs:
                if value is not None:
                    self._origins[value] = origin

    def _of_node(self, node: Node) -> Origin:
        if node.domain == "" and node.op_type in _READS_SHAPE:
            return Origin.SHAPE
        if node.op_type in _RANDOM:
            return Origin.DATA
        known = self._origins
        computed = [value for value in node.inputs if value is not None and value.tensor is None]
        sources = [known.get(value, Origin.DATA) for value in computed]
        for subgraph in node.subgraphs.values():
            sources += [self.of(value) for value in subgraph.outputs]
        return max(sources, default=Origin.CONSTANT)
