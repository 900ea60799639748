"""Edges that come back to where they began are cut, whatever the format, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import helper

from modellint.formats import read_model
from modellint.model import Model, Node
from modellint.placement.waves import uses
from tests.growth import grows_less
from tests.support import model_from_text, save

_HEAD = """<ir_version: 8, opset_import: ["": 17]>
main (float[2, 2] x, bool c) => (float[2, 2] y)"""
ITSELF = f"{_HEAD} {{ y = Reshape(y, y) }}"
RING = f"{_HEAD} {{ a = Relu(b) b = Transpose(a) z = Add(a, x) y = Neg(z) }}"
AROUND = f"""{_HEAD} {{
  a = If(c) <then_branch = t () => (float[2, 2] p) {{ p = Relu(b) }},
             else_branch = e () => (float[2, 2] q) {{ q = Neg(x) }}>
  b = Neg(a) y = Identity(b)
}}"""
UNSORTED = f"{_HEAD} {{ y = Relu(a) a = Neg(x) }}"


def loops(model: Model) -> bool:
    """Walk against the edges from each node; return True if one is met again."""

    def meets(node: Node, way: tuple[Node, ...]) -> bool:
        return node in way or any(meets(each, (*way, node)) for each in node.sources)

    return any(meets(node, ()) for node in model.nodes())


@pytest.mark.parametrize("text", [ITSELF, RING, AROUND])
def test_cycles_are_cut_and_reported(text: str, tmp_path: Path) -> None:
    model = read_model(save(text, tmp_path / "m.onnx"))
    assert not loops(model)
    assert [each.kind for each in model.problems] == ["graph-cycle"]
    assert all(value is None or value.name for node in model.nodes() for value in node.outputs)


def test_onnx_runtime_refuses_cycles_and_sorts_the_rest() -> None:
    runtime = pytest.importorskip("onnxruntime")

    def refusal(text: str) -> str:
        try:
            runtime.InferenceSession(
                model_from_text(text).SerializeToString(), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # of ONNX Runtime's own types
            return str(error)
        return ""

    assert all("not acyclic" in refusal(text) for text in (ITSELF, RING, AROUND))
    assert not refusal(UNSORTED)


def test_what_comes_back_many_times_is_looked_through_once(tmp_path: Path) -> None:
    """One node reads the results of all that wait for it, another one all of its own."""
    files = {number: returning(number, tmp_path / f"{number}.onnx") for number in (1_500, 12_000)}
    assert grows_less(lambda number: read_model(files[number]), 1_500, 12_000, limit=32)
    model = read_model(files[1_500])
    last, around = model.graph.nodes[-2:]
    assert not any(value.producer for value in (*last.read, *around.read))


def test_edges_of_a_graph_that_is_only_unsorted_stay(tmp_path: Path) -> None:
    model = read_model(save(UNSORTED, tmp_path / "m.onnx"))
    assert [node.op_type for node in model.graph.ordered] == ["Neg", "Relu"]
    assert all(value.producer for node in model.nodes("Relu") for value in node.read)


def test_removed_nodes_in_a_row_do_not_double_what_reads_them(tmp_path: Path) -> None:
    rows = [f"v{at + 1} = Concat<axis = 0>(v{at}, v{at})" for at in range(40)]
    text = f"{_HEAD} {{ v0 = Relu(x) {' '.join(rows)} y = Neg(v40) }}"
    first, *_, last = nodes = read_model(save(text, tmp_path / "m.onnx")).graph.nodes
    here = {id(first), id(last)}
    assert [node for node, _ in uses(first, here, lambda node: node in nodes[1:-1])] == [last]


def returning(number: int, path: Path) -> Path:
    rows = [helper.make_node("Relu", [f"v{at + 1}"], [f"v{at}"]) for at in range(number)]
    rows.append(helper.make_node("Sum", [f"v{at}" for at in range(number)], [f"v{number}"]))
    own = [f"w{at}" for at in range(number)]
    rows.append(helper.make_node("SplitToSequence", own, own))
    return save(helper.make_model(helper.make_graph(rows, "m", [], []), ir_version=8), path)
