"""Files in ONNX Runtime's own format, as it saves them."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.formats import read_model
from modellint.formats.onnx.facts import onnx_facts
from modellint.model import Model
from tests.samples import lint_json
from tests.support import save

MODEL = """
<ir_version: 8, opset_import: ["" : 17], producer_name: "tests">
net (float[N, 64] x, bool c) => (float[N, 64] z)
<float[64, 64] w, float[64] b = {LIST}>
{
    t = Transpose <perm = [1, 0]> (w)
    y = Gemm <alpha = 0.5> (x, t, b)
    z = If (c) <
        then_branch = yes () => (float[N, 64] p) { p = Relu (y) },
        else_branch = no () => (float[N, 64] q) { q = Neg (y) }
    >
}
""".replace("LIST", ", ".join(map(str, range(64))))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import numpy as np
    import onnx
    import onnxruntime

    folder = tmp_path_factory.mktemp("ort")
    proto = onnx.parser.parse_model(MODEL)
    weights = np.arange(64 * 64, dtype=np.float32).reshape(64, 64)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(weights, "w"))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.save_model_format", "ORT")
    options.optimized_model_filepath = str(folder / "net.ort")
    onnxruntime.InferenceSession(
        str(save(proto, folder / "net.onnx")), options, providers=["CPUExecutionProvider"]
    )
    return folder / "net.ort"


@pytest.fixture(scope="module")
def model(saved: Path) -> Model:
    return read_model(saved)


def test_it_is_the_onnx_graph_that_was_saved(model: Model) -> None:
    assert not model.problems
    assert [node.op_type for node in model.graph.nodes] == ["Transpose", "Gemm", "If"]
    transpose, gemm, branch = model.graph.nodes
    assert transpose.attributes == {"perm": (1, 0)}
    assert gemm.get_float("alpha") == 0.5
    assert {
        key: [node.op_type for node in graph.nodes] for key, graph in branch.subgraphs.items()
    } == {
        "then_branch": ["Relu"],
        "else_branch": ["Neg"],
    }
    assert [(value.name, value.declared_shape) for value in model.inputs] == [
        ("x", ("N", 64)),
        ("c", ()),
    ]


def test_large_weights_stay_in_the_file(model: Model, saved: Path) -> None:
    tensor = model.graph.values["w"].tensor
    assert tensor is not None
    assert tensor.region is not None
    assert (tensor.region.path, tensor.region.length, tensor.small) == (saved, 4 * 64 * 64, False)
    numbers = tensor.numpy()
    assert numbers is not None
    assert numbers[1].tolist() == list(range(64, 128))


def test_small_ones_are_read_and_types_inferred(model: Model) -> None:
    tensor = model.graph.values["b"].tensor
    assert tensor is not None
    assert tensor.small
    assert model.graph.values["y"].shape == ("N", 64)


def test_what_the_runtime_added_is_a_fact(model: Model) -> None:
    facts = onnx_facts(model)
    assert facts.opset == 17
    assert model.producer_name == "tests"
    assert facts.session is not None
    assert facts.session.format_version
    assert facts.session.kernel_types > 0


def test_rules_about_onnx_networks_apply_and_those_about_exports_do_not(saved: Path) -> None:
    found = {each["code"] for each in lint_json(saved, "--select", "ALL")["findings"]}
    assert "HYG009" not in found  # it imports what the runtime knows


def test_every_truncation_is_a_problem(saved: Path, tmp_path: Path) -> None:
    whole = saved.read_bytes()
    path = tmp_path / "cut.ort"
    for length in range(8, len(whole), len(whole) // 40):
        path.write_bytes(whole[:length])
        assert read_model(path).problems, length
