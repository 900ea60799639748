"""A model's graph as data to draw: nodes with their costs, values, repeated blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from modellint.base.text import counted, shorten
from modellint.inspector.grouping import BlockStack, stacks
from modellint.inspector.node_facts import NodeFacts, attempt
from modellint.model import AttributeRef, Graph, Node, Tensor, Value, format_shape
from modellint.results.drawing import Drawing, DrawnGroup, DrawnNode, DrawnValue
from modellint.session import OpenModel
from modellint.targets.deployment import Deployment

LONGEST_ATTRIBUTE = 120
MOST_ATTRIBUTES = 40
MOST_OF = 0.75
"""Share of nodes whose names must begin with a path that names them all."""


def draw(opened: OpenModel, deployment: Deployment) -> Drawing | None:
    """Return the graph of a model, for a deployment; None for a model without one."""
    if not opened.model.has_graph or any(each.fatal for each in opened.model.problems):
        return None
    return Drawer(opened, deployment).drawing


class Drawer:
    """Drawing of one model, which knows where each node is in it."""

    def __init__(self, opened: OpenModel, deployment: Deployment) -> None:
        self.drawing = Drawing()
        self.places: dict[Node, int] = {}
        self._model = opened.model
        self.values: dict[Value, int] = {}
        self._scopes: dict[int, str] = {}
        self._facts = NodeFacts(opened, deployment)
        self._groups = self._group_main_graph()
        for graph in opened.model.graphs():
            self._graph(graph, self._body(graph))
        self._name_groups()
        self.drawing.kernels = list(self._kernels())

    def _kernels(self) -> Iterator[list[int]]:
        found = attempt(self._facts.launches)
        for kernel in found.kernels if found is not None else ():
            drawn = [self.places[node] for node in kernel.nodes if node in self.places]
            if len(drawn) > 1:
                yield drawn

    def _group_main_graph(self) -> dict[Node, int]:
        """Add a group for each block and stack, and return the innermost one of each node."""
        found = attempt(lambda: stacks(self._model.graph, self._facts.blocks().all))
        return {
            node: group
            for stack in found or ()
            for group, nodes in self._stack(stack)
            for node in nodes
        }

    def _stack(self, stack: BlockStack) -> Iterator[tuple[int, Sequence[Node]]]:
        outer: int | None = None
        if len(stack.blocks) > 1:
            outer = self._add_group(DrawnGroup(stack.kind, "stack", count=len(stack.blocks)))
        for at, nodes in enumerate(stack.blocks, 1):
            number = f" {at}" if outer is not None else ""
            group = self._add_group(DrawnGroup(f"{stack.kind}{number}", "block", outer))
            self._scopes[group] = common_scope(nodes)
            yield group, nodes

    def _name_groups(self) -> None:
        """Call blocks by the path of their nodes' names, if it tells them from all others."""
        counts = Counter(self._scopes.values())
        for group, scope in self._scopes.items():
            is_above = any(other.startswith(f"{scope}/") for other in counts)
            if scope and counts[scope] == 1 and not is_above:
                self.drawing.groups[group].label = scope

    def _add_group(self, group: DrawnGroup) -> int:
        self.drawing.groups.append(group)
        return len(self.drawing.groups) - 1

    def _body(self, graph: Graph) -> int | None:
        """Return a new group for a subgraph, inside the one of the node that it belongs to."""
        owner = graph.parent
        if owner is None:
            return None
        around = self.drawing.nodes[self.places[owner]].group if owner in self.places else None
        return self._add_group(DrawnGroup(f"{owner.label} · {graph.key}", "body", around))

    def _graph(self, graph: Graph, body: int | None) -> None:
        for node in graph.nodes:
            if is_stored(node):
                continue
            self.places[node] = len(self.drawing.nodes)
            self.drawing.nodes.append(self._node(node, self._groups.get(node, body)))

    def _node(self, node: Node, group: int | None) -> DrawnNode:
        facts = self._facts
        cost, bound = facts.cost(node), facts.bounds.get(id(node))
        return DrawnNode(
            node.label,
            node.qualified_op,
            node.graph.path,
            node.index,
            group,
            self._all(node.inputs),
            self._all(node.outputs),
            self._all(value for each in node.subgraphs.values() for value in each.outputs),
            attributes=list(_attributes(node)),
            parameters=cost.parameters,
            macs=cost.macs,
            bytes=cost.bytes_moved,
            seconds=bound.seconds if bound is not None else None,
            precision=facts.precision(node, bound),
            quantized=facts.is_quantized(node),
            unit=facts.units.get(id(node), ""),
            note=facts.refusal(node),
        )

    def _all(self, values: Iterator[Value] | Sequence[Value | None]) -> list[int]:
        return [self._value(value) for value in values if value is not None]

    def _value(self, value: Value) -> int:
        at = self.values.get(value)
        if at is None:
            at = self.values[value] = len(self.drawing.values)
            self.drawing.values.append(self._drawn_value(value))
        return at

    def _drawn_value(self, value: Value) -> DrawnValue:
        tensor = value.tensor
        if tensor is not None and (value.producer is None or is_stored(value.producer)):
            return DrawnValue(value.name, f"{tensor.dtype} {format_shape(tensor.shape)}", "weight")
        is_main = value.graph.parent is None
        return DrawnValue(
            value.name,
            self._facts.type_of(value),
            "output" if is_main and value.is_output else "input" if value.is_input else "",
        )


def is_stored(node: Node) -> bool:
    """Return True if a node only holds a stored tensor, which is drawn like any other weight."""
    return bool(node.outputs) and all(
        value is not None and value.tensor is not None and not value.is_output
        for value in node.outputs
    )


def common_scope(nodes: Sequence[Node]) -> str:
    """Return the longest path that most names begin with: `/encoder/layer.3`."""
    paths = [node.name.split("/")[:-1] for node in nodes if "/" in node.name]
    scope: list[str] = []
    while True:
        at = len(scope)
        inner = Counter(path[at] for path in paths if path[:at] == scope and len(path) > at)
        part, count = next(iter(inner.most_common(1)), ("", 0))
        if count <= MOST_OF * len(paths):
            return "/".join(scope)
        scope.append(part)


def _attributes(node: Node) -> Iterator[tuple[str, str]]:
    attributes = attempt(lambda: node.attributes) or {}
    for name, value in [*attributes.items()][:MOST_ATTRIBUTES]:
        yield name, shorten(_written(value), LONGEST_ATTRIBUTE)
    if len(attributes) > MOST_ATTRIBUTES:
        yield "…", f"{len(attributes) - MOST_ATTRIBUTES} more"


def _written(value: object) -> str:
    if isinstance(value, Tensor):
        return f"{value.dtype} {format_shape(value.shape)}"
    if isinstance(value, AttributeRef):
        return f"of the call: {value.name}"
    if isinstance(value, bytes):
        return counted(len(value), "byte")
    if isinstance(value, tuple):
        shown = ", ".join(_written(each) for each in value[:16])
        return f"[{shown}, … {len(value):,} in all]" if len(value) > 16 else f"[{shown}]"
    if isinstance(value, float):
        return f"{value:.7g}"
    if isinstance(value, str):
        return value[: LONGEST_ATTRIBUTE * 2]
    return str(value)
