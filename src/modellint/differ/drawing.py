"""The graph of a new model, with changed nodes and those removed from the old one."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.base.garbage import no_garbage_collection
from modellint.differ.matched import Matching
from modellint.inspector.drawing import Drawer, is_stored
from modellint.model import Node, Value, format_shape
from modellint.results.difference import Difference, NodeChange
from modellint.results.drawing import Drawing, DrawnNode, DrawnValue
from modellint.session import OpenModel, Session
from modellint.targets.deployment import Deployment


def draw_difference(
    difference: Difference, matching: Matching | None, deployment: Deployment
) -> Drawing | None:
    """Return the graph of both models; None unless both have one."""
    if matching is None or difference.nodes is None:
        return None
    with no_garbage_collection():
        opened = OpenModel(Session((deployment,)), matching.new, difference.new.path, 0.0)
        return _DifferenceDrawer(difference, matching, Drawer(opened, deployment)).drawn()


class _DifferenceDrawer:
    def __init__(self, difference: Difference, matching: Matching, drawer: Drawer) -> None:
        self._difference = difference
        self._matching = matching
        self._drawer = drawer
        self._drawing = drawer.drawing
        self._twins = matching.nodes()
        self._old_values: dict[Value, int] = {}

    def drawn(self) -> Drawing:
        self._mark_added()
        self._mark_changed()
        self._add_removed()
        return self._drawing

    def _nodes(self, node: Node) -> Iterator[DrawnNode]:
        at = self._drawer.places.get(node)
        if at is not None:
            yield self._drawing.nodes[at]

    def _mark_added(self) -> None:
        matching = self._matching
        added = [node for step in matching.added for node in step.nodes]
        for node in (*added, *matching.light_added):
            for drawn in self._nodes(node):
                drawn.change = "added"
        for pair in matching.replaced:
            for node in pair.new.nodes:
                for drawn in self._nodes(node):
                    drawn.change = "changed"
                    drawn.note = f"in place of {pair.old.op} {pair.old.main.label}"

    def _mark_changed(self) -> None:
        nodes = self._difference.nodes
        by_place = {(node.graph, node.name): node for node in self._drawing.nodes}
        for change in nodes.changed if nodes is not None else ():
            drawn = by_place.get((change.new.graph, change.new.name))
            if drawn is not None:
                drawn.change = "changed"
                drawn.note = changes_in_words(change)

    def _add_removed(self) -> None:
        matching = self._matching
        removed = [node for step in matching.removed for node in step.nodes]
        removed += [node for node in matching.light_removed if not is_stored(node)]
        here = set(removed)
        for node in removed:
            self._drawing.nodes.append(
                DrawnNode(
                    node.label,
                    node.qualified_op,
                    node.graph.path,
                    node.index,
                    self._group_of(node),
                    inputs=[self._value(value) for value in node.inputs if value is not None],
                    outputs=[self._value(value) for value in node.outputs if value is not None],
                    note="only in the old model",
                    change="removed",
                )
            )
        for node in removed:
            for reader in node.successors:
                twin = self._twins.get(reader)
                if reader not in here and twin is not None:
                    for drawn in self._nodes(twin):
                        self._let_read(drawn, node)

    def _group_of(self, node: Node) -> int | None:
        """Return the group that all nodes around a removed one are in."""
        around = (self._twins.get(each) for each in (*node.predecessors, *node.successors))
        groups = {drawn.group for twin in around if twin is not None for drawn in self._nodes(twin)}
        return groups.pop() if len(groups) == 1 else None

    def _let_read(self, reader: DrawnNode, removed: Node) -> None:
        """Add edges from a removed node to its former readers, which now read something else."""
        values = [self._value(value) for value in removed.outputs if value is not None]
        reader.bodies = [*reader.bodies, *(each for each in values if each not in reader.bodies)]

    def _value(self, value: Value) -> int:
        """Return the new model's counterpart of an old value, or else the value itself."""
        twin = self._matching.values.get(value)
        made = value.producer
        if twin is None and made is not None and made in self._twins:
            twin = self._twins[made].output(value.index)
        known = self._drawer.values.get(twin) if twin is not None else None
        if known is not None:
            return known
        at = self._old_values.get(value)
        if at is None:
            at = self._old_values[value] = len(self._drawing.values)
            is_weight = value.tensor is not None and made is None
            drawn = DrawnValue(value.name, _type(value), "weight" if is_weight else "")
            self._drawing.values.append(drawn)
        return at


def _type(value: Value) -> str:
    if value.known_dtype is None and value.known_shape is None:
        return ""
    return f"{value.known_dtype or '?'} {format_shape(value.known_shape)}"


def changes_in_words(change: NodeChange) -> str:
    """Return `pads: 1 -> 0; input 1: a -> b`."""
    parts = []
    if change.old.op_type != change.new.op_type:
        parts.append(f"{change.old.op_type} -> {change.new.op_type}")
    parts += [f"{each.name}: {each.old} -> {each.new}" for each in change.attributes]
    parts += [f"input {each.index}: {each.old} -> {each.new}" for each in change.inputs]
    return "; ".join(parts)
