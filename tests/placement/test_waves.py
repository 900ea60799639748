"""Groups of nodes are formed as ONNX Runtime's providers form them."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.formats import read_model
from modellint.model import Node
from modellint.placement.waves import waves
from tests.support import save

FORKED = """
<ir_version: 8, opset_import: ["" : 17]>
m (float[4] x) => (float[4] y, float[4] z)
{
    a = Relu (x)
    b = Acosh (x)
    c = Relu (b)
    d = Acosh (a)
    e = Relu (d)
    y = Add (a, c)
    z = Neg (e)
}
"""


def nodes_of(text: str, folder: Path) -> list[Node]:
    return read_model(save(text, folder / "m.onnx")).graph.ordered


def labels(groups: list[list[Node]]) -> list[list[str]]:
    return [sorted(node.label for node in group) for group in groups]


def test_a_wave_goes_around_what_reads_nothing_of_it(tmp_path: Path) -> None:
    found = waves(nodes_of(FORKED, tmp_path), lambda node: node.op_type != "Acosh")
    assert labels(found) == [["a", "c", "y"], ["e", "z"]]


@pytest.mark.parametrize(("taken", "groups"), [(True, 1), (False, 0)])
def test_all_or_nothing(taken: bool, groups: int, tmp_path: Path) -> None:
    assert len(waves(nodes_of(FORKED, tmp_path), lambda _: taken)) == groups


def test_a_subgraph_reads_for_its_node(tmp_path: Path) -> None:
    nodes = nodes_of(
        """
        <ir_version: 8, opset_import: ["" : 17]>
        m (bool c, float[2] x) => (float[2] z)
        {
            a = Relu (x)
            y = If (c) <
                then_branch = yes () => (float[2] s) { s = Neg (a) },
                else_branch = no () => (float[2] t) { t = Identity (a) }
            >
            z = Relu (y)
        }
        """,
        tmp_path,
    )
    found = waves(nodes, lambda node: node.op_type != "If")
    assert labels(found) == [["a"], ["z"]]


def test_a_removed_node_keeps_the_order(tmp_path: Path) -> None:
    nodes = nodes_of(
        """
        <ir_version: 8, opset_import: ["" : 17]>
        m (float[4] x) => (float[4] y)
        {
            a = Relu (x)
            b = Acosh (a)
            c = Identity (b)
            y = Relu (c)
        }
        """,
        tmp_path,
    )
    running = [node for node in nodes if node.op_type != "Identity"]
    found = waves(
        running, lambda node: node.op_type == "Relu", lambda node: node.op_type == "Identity"
    )
    assert labels(found) == [["a"], ["y"]]
