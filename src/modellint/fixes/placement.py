"""Fixes that let an accelerator run nodes that it would leave to another unit."""

from __future__ import annotations

from modellint.analysis.borders import Border, borders
from modellint.checks.api import Context, Hit
from modellint.fixes.building import instead
from modellint.fixes.conditions import integers, opset_of
from modellint.model import Graph, Node
from modellint.model.edits import AddTensor, Fix, NewNode, Operand

_FIRST_WITH_INPUTS = 10
"""The first operator set whose Slice reads where it starts and ends."""
_END = 2**31 - 1
"""An end that stands for the end of the axis."""


def slice_pad(context: Context, hit: Hit) -> Fix | None:
    """Write a Pad that repeats or mirrors its input as Slices and Concats."""
    pad = hit.place
    if not isinstance(pad, Node) or opset_of(pad.graph) < _FIRST_WITH_INPUTS:
        return None
    added = borders(pad)
    if not added:
        return None
    written = _RowsAsSlices(pad)
    value: Operand = pad.input(0)
    for border in added:
        result = pad.output() if border is added[-1] else f"{pad.label}_axis_{border.axis}"
        value = written.extend(value, border, result)
    edits = (*written.tensors.values(), *instead((pad,), pad, *written.nodes))
    return Fix(edits, f"Writes Pad '{pad.label}' as {len(written.nodes)} Slices and Concats.")


class _RowsAsSlices:
    """Slices and Concats in place of a Pad."""

    def __init__(self, pad: Node) -> None:
        self._label = pad.label
        self._graph: Graph = pad.graph
        self.nodes: list[NewNode] = []
        self.tensors: dict[str, AddTensor] = {}

    def extend(self, value: Operand, border: Border, result: Operand) -> Operand:
        """Join a value with copies of its own rows along an axis."""
        rows = {
            place: _named(f"{self._label}_axis_{border.axis}_row", place)
            for place in (*border.before, *border.after)
        }
        axes = self._stored(border.axis)
        for place, row in rows.items():
            end = _END if place == -1 else place + 1
            inputs = (value, self._stored(place), self._stored(end), axes)
            self.nodes.append(NewNode("Slice", inputs, (row,)))
        before, after = ([rows[each] for each in side] for side in (border.before, border.after))
        self.nodes.append(
            NewNode("Concat", (*before, value, *after), (result,), {"axis": border.axis})
        )
        return result

    def _stored(self, number: int) -> str:
        name = _named("number", number)
        self.tensors[name] = integers(name, self._graph, (number,))
        return name


def _named(what: str, number: int) -> str:
    return f"{what}_{number}" if number >= 0 else f"{what}_minus_{-number}"
