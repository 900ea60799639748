"""Two models run on the same inputs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from modellint.differ.layers import scale_of
from modellint.differ.matching import match_models
from modellint.formats import read_model
from tests.samples import failed
from tests.support import model_from_text, run_cli, save


def _network(middle: float) -> onnx.ModelProto:
    """Return three layers of which the second has one weight that can be set."""
    model = model_from_text("""
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[batch, 6] x) => (float[batch, 4] y) {
      [one] a = Gemm(x, w0)
      ra = Relu(a)
      [two] b = Gemm(ra, w1)
      rb = Relu(b)
      [three] y = Gemm(rb, w2)
    }""")
    random = np.random.default_rng(0)
    for name, shape in {"w0": (6, 8), "w1": (8, 8), "w2": (8, 4)}.items():
        weights = random.standard_normal(shape).astype(np.float32)
        if name == "w1":
            weights[0, 0] = middle
        model.graph.initializer.append(onnx.numpy_helper.from_array(weights, name))
    return model


def test_the_layer_where_a_difference_starts_is_named(tmp_path: Path) -> None:
    old = save(_network(1.0), tmp_path / "old.onnx")
    new = save(_network(3.0), tmp_path / "new.onnx")
    done = run_cli("diff", old, new, "--run", "--max-drop", "cosine=0.0001", "-o", "json")
    assert done.exit_code == 1, done
    run = json.loads(done.stdout)["run"]
    assert [layer["new"]["name"] for layer in run["starts"]] == ["two"]
    assert run["compared"] == 5
    assert run["runs"] == 3, "three sizes of the open batch"
    output = run["outputs"][0]
    assert (output["name"], output["equal"]) == ("y", False)
    assert 0 < output["sqnr"] < 60
    page = run_cli("diff", old, old, "--run", "--max-drop", "sqnr=100")
    assert page.exit_code == 0
    assert "equal outputs" in page.stdout


def test_models_that_cannot_be_run_say_why(tmp_path: Path) -> None:
    old = save(_network(1.0), tmp_path / "old.onnx")
    data = tmp_path / "data.npz"
    np.savez(data, z=np.zeros((2, 6), np.float32))
    failed(run_cli("diff", old, old, "--run", "--data", data), "no input 'x'")
    failed(run_cli("diff", old, old, "--max-drop", "much"), "top1=1%")


def test_integers_stand_for_what_their_readers_say(tmp_path: Path) -> None:
    model = read_model(
        save(
            """
    <ir_version: 8, opset_import: ["" : 17]>
    g (uint8[2, 4] x, uint8[2, 4] z) => (float[4, 2] y, uint8[2, 4] w)
    <float s = {0.5}, uint8 p = {128}> {
      t = Transpose(x)
      y = DequantizeLinear(t, s, p)
      w = Identity(z)
    }""",
            tmp_path / "m.onnx",
        )
    )
    assert scale_of(model.graph.values["x"]) == (0.5, 128.0)
    assert scale_of(model.graph.values["z"]) is None
    assert scale_of(model.graph.values["y"]) is None


@pytest.mark.parametrize("layout", [(0, 2, 3, 1), (0, 1, 2, 3)])
def test_inputs_are_laid_out_as_the_other_model_declares(
    tmp_path: Path, layout: tuple[int, ...]
) -> None:
    from modellint.differ.running import laid_out

    shape = [(1, 3, 8, 6)[axis] for axis in layout]
    text = f"""<ir_version: 8, opset_import: ["" : 17]>
    g (float[{", ".join(map(str, shape))}] x) => (float[n] y) {{ y = Relu(x) }}"""
    model = read_model(save(text, tmp_path / "m.onnx"))
    assert match_models(model, model).inputs[0][0] is model.inputs[0]
    array = np.arange(144).reshape(1, 3, 8, 6)
    assert np.array_equal(laid_out(array, model.inputs[0]), array.transpose(layout))
