"""Graphs to draw: blocks of real architectures as groups that can be drawn as one node each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from graphlib import TopologicalSorter

import pytest

from modellint.inspector import draw
from modellint.results.drawing import Drawing
from modellint.session import OpenModel, Session
from modellint.targets.deployment import Deployment
from tests.analysis.kept import export


def drawn(name: str) -> Drawing:
    opened = OpenModel(Session((Deployment(),)), export(name), name, 0.0)
    found = draw(opened, Deployment())
    assert found is not None
    return found


def outermost(drawing: Drawing, group: int | None) -> int | None:
    while group is not None and (parent := drawing.groups[group].parent) is not None:
        group = parent
    return group


def edges(drawing: Drawing) -> list[tuple[int, int]]:
    producer = {value: at for at, node in enumerate(drawing.nodes) for value in node.outputs}
    return [
        (producer[value], at)
        for at, node in enumerate(drawing.nodes)
        for value in node.inputs
        if value in producer
    ]


@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [
        ("resnet50", "residual", 16),
        ("mobilenet_v2", "inverted residual", 16),
        ("bert_base_uncased", "transformer", 12),
        ("llama", "transformer", 4),
    ],
)
def test_repeated_blocks_are_one_stack(name: str, kind: str, count: int) -> None:
    drawing = drawn(name)
    stacks = [group for group in drawing.groups if group.kind == "stack"]
    assert [(stack.label, stack.count) for stack in stacks] == [(kind, count)]
    blocks = Counter(node.group for node in drawing.nodes)
    assert sum(drawing.groups[at].kind == "block" for at in blocks if at is not None) == count
    loose = blocks[None]
    assert loose < len(drawing.nodes) / 3, "most nodes are in blocks"
    _require_no_cycle(drawing, lambda at: outermost(drawing, drawing.nodes[at].group))
    _require_no_cycle(drawing, lambda at: drawing.nodes[at].group)


def _require_no_cycle(drawing: Drawing, group_of: Callable[[int], int | None]) -> None:
    """Fail if groups that are one node each, next to all loose nodes, make a cycle."""
    order: TopologicalSorter[tuple[str, int]] = TopologicalSorter()

    def unit(at: int) -> tuple[str, int]:
        group = group_of(at)
        return ("node", at) if group is None else ("group", group)

    for source, target in edges(drawing):
        if unit(source) != unit(target):
            order.add(unit(target), unit(source))
    order.prepare()


def test_nodes_know_their_costs_and_places() -> None:
    drawing = drawn("resnet50")
    first = drawing.nodes[0]
    assert (first.op, first.index, first.precision) == ("Conv", 0, "fp32")
    assert first.macs == 112 * 112 * 64 * 7 * 7 * 3
    assert dict(first.attributes)["strides"] == "[2, 2]"
    assert all(node.op == "Conv" for node in (drawing.nodes[each[0]] for each in drawing.kernels))
    kinds = Counter(value.kind for value in drawing.values)
    assert (kinds["input"], kinds["output"]) == (1, 1)
