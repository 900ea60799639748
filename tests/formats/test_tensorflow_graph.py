"""TensorFlow's graphs by themselves: a frozen one is what TensorFlow says.

`tests/data/tensorflow/network.pb` is from `tools/record_tensorflow.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.analysis.cost import cost
from modellint.analysis.shapes import DeployedTypes
from modellint.formats import detect, read_model
from modellint.formats.savedmodel.notation import field
from modellint.operators import of
from modellint.targets.deployment import Deployment
from tests.formats.test_savedmodel import MODELS, SAVED, Named, copied, known_dims, total
from tests.support import run_cli

GRAPH = SAVED / "network.pb"


def test_ends_and_weights_are_those_that_tensorflow_froze() -> None:
    truth, model = MODELS["network"]["frozen"], read_model(GRAPH)
    assert (model.format, model.problems) == ("tensorflow-graph", [])
    regions = [each.tensor.region for each in model.graph.initializers if each.tensor is not None]
    assert {each.external for each in regions if each is not None} == {False}
    inputs = [
        [each.name, each.dtype and each.dtype.name, list(each.shape or ())]
        for each in model.graph.inputs
    ]
    assert inputs == truth["inputs"]
    assert [each.name for each in model.graph.outputs] == truth["outputs"]
    stored = {
        value.name: total(value.tensor.numpy())
        for value in model.graph.initializers
        if value.tensor is not None and value.tensor.dtype.name == "float32"
    }
    assert stored.items() <= dict(truth["weights"]).items()
    assert {"unknown", "unknown_0", "unknown_1", "unknown_2"} <= set(stored)


def test_the_graph_is_what_tensorflow_runs() -> None:
    model = read_model(GRAPH)
    types = DeployedTypes(model, Deployment(batch=2))
    ran = {node.name.removeprefix("StatefulPartitionedCall/"): node for node in copied(model)}
    assert sorted(ran) == sorted(label for _, label, _ in MODELS["network"]["runs"])
    for op, label, shapes in MODELS["network"]["runs"]:
        node = ran[label]
        assert of(node).name == of(Named(op)).name, label
        if not node.subgraphs:  # the file states no shapes; they are all computed
            found = [list(types.shape(value) or ()) for value in node.outputs if value is not None]
            assert known_dims(found, shapes) == shapes, label
    costs = cost(model, Deployment(batch=1))
    assert costs.parameters == 3 * 3 * 4 * 8 + 3 * 3 * 8 * 2 + 40 * 6 + 6 * 6
    assert costs.macs_of(ran["Conv2D"]) == 9 * 10 * 8 * 3 * 3 * 4


def test_a_folder_has_its_graphs_but_no_other_protobuf(tmp_path: Path) -> None:
    (tmp_path / "net.pb").write_bytes(GRAPH.read_bytes())
    (tmp_path / "fingerprint.pb").write_bytes((SAVED / "network" / "fingerprint.pb").read_bytes())
    (tmp_path / "labels.pb").write_bytes(field(1, field(1, b"cat") + field(2, b"Felis")))
    ran = run_cli(str(tmp_path))
    assert (ran.exit_code, "1 model in" in ran.stdout) == (0, True)


@pytest.mark.parametrize("at", [0, 1, 3, 9, 30, 200, 1000, 19000])
def test_what_is_cut_off_is_one_problem(tmp_path: Path, at: int) -> None:
    path = tmp_path / "net.pb"
    path.write_bytes(GRAPH.read_bytes()[:at])
    (problem,) = read_model(path).problems
    assert problem.kind in ("empty-file", "not-a-model", "truncated")


def test_a_graph_without_results_has_no_graph(tmp_path: Path) -> None:
    nodes = [field(1, b"x") + field(2, b"Placeholder"), field(1, b"c") + field(2, b"Const")]
    path = tmp_path / "net.pb"
    path.write_bytes(b"".join(field(1, each) for each in nodes))
    assert detect(path).name == "tensorflow-graph"
    model = read_model(path)
    assert (model.has_graph, model.problems) == (False, [])
