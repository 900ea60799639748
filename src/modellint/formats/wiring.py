"""Building of graphs, for the readers of all formats."""

from __future__ import annotations

from collections.abc import Iterable

from modellint.base.text import bounded
from modellint.model import Graph, Node, Use, Value


class Wiring:
    """Adds values and nodes to one graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._repeated: dict[str, int] = {}

    def value(self, name: str) -> Value:
        """Add a value; one whose name is taken gets another."""
        name = unique = bounded(name)
        while unique in self.graph.values:
            count = self._repeated[name] = self._repeated.get(name, 1) + 1
            unique = f"{name}#{count}"
        value = self.graph.values[unique] = Value(unique, self.graph)
        return value

    def node(
        self,
        op: str,
        domain: str,
        name: str,
        inputs: Iterable[Value | None],
        outputs: Iterable[Value | None],
    ) -> Node:
        """Add a node after all others."""
        node = Node(self.graph, len(self.graph.nodes), op, domain, bounded(name))
        node.inputs, node.outputs = tuple(inputs), tuple(outputs)
        for place, value in enumerate(node.inputs):
            if value is not None:
                value.consumers.append(Use(node, place))
        for place, value in enumerate(node.outputs):
            if value is not None and value.producer is None:
                value.producer, value.index = node, place
        self.graph.nodes.append(node)
        return node

    def input(self, value: Value) -> None:
        value.is_input = True
        self.graph.inputs.append(value)

    def output(self, value: Value) -> None:
        value.is_output = True
        self.graph.outputs.append(value)
