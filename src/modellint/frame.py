"""Frames: the neighborhood of a place, as data for reports."""

from __future__ import annotations

from collections.abc import Sequence

from modellint.model import Graph, Node, Tensor, Value, format_shape
from modellint.results.finding import Frame, FrameRow

MOST_ROWS = 7


def frame_of(
    place: Node | Value | Graph | Tensor | None, related: Sequence[Node] = (), note: str = ""
) -> Frame | None:
    """Return the place between its producer and consumer, or among its related nodes."""
    if isinstance(place, Node):
        return Frame(tuple(_node_rows(place, related)), note)
    if isinstance(place, Value):
        return Frame(tuple(_value_rows(place)), note)
    if isinstance(place, Tensor):
        return Frame((FrameRow("tensor", place.name, _type(place), focus=True),), note)
    return None


def _node_rows(focus: Node, related: Sequence[Node]) -> list[FrameRow]:
    nodes = {id(node): node for node in (focus, *related) if node.graph is focus.graph}
    if len(nodes) == 1:
        producer = next(focus.predecessors, None)
        consumer = next(focus.successors, None)
        for near in (producer, consumer):
            if near is not None and near.graph is focus.graph:
                nodes[id(near)] = near
    ordered = sorted(nodes.values(), key=lambda node: node.index)
    if len(ordered) > MOST_ROWS:
        at = ordered.index(focus)
        start = max(0, min(at - MOST_ROWS // 2, len(ordered) - MOST_ROWS))
        ordered = ordered[start : start + MOST_ROWS]
    return [_node_row(node, focus=node is focus) for node in ordered]


def _node_row(node: Node, *, focus: bool = False) -> FrameRow:
    output = node.output()
    return FrameRow(node.qualified_op, node.label, _value_type(output) if output else "", focus)


def _value_rows(value: Value) -> list[FrameRow]:
    rows = []
    if value.producer is not None:
        rows.append(_node_row(value.producer))
    kind = "input" if value.is_input else "tensor" if value.is_constant else "value"
    if value.is_output:
        kind = "output"
    rows.append(FrameRow(kind, value.name, _value_type(value), focus=True))
    rows += [_node_row(use.node) for use in value.consumers[:2]]
    return rows


def _value_type(value: Value) -> str:
    """Return the type as far as known; a frame is not worth running inference."""
    if value.tensor is not None:
        return _type(value.tensor)
    dtype, shape = value.known_dtype, value.known_shape
    if dtype is None and shape is None:
        return ""
    return f"{dtype or '?'} {format_shape(shape)}"


def _type(tensor: Tensor) -> str:
    return f"{tensor.dtype} {format_shape(tensor.shape)}"
