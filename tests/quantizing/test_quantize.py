"""Quantization by recipes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnx.helper
import pytest

from modellint.base.errors import UsageError
from modellint.execution import Deviation
from modellint.execution.limits import parse_limit
from modellint.formats import read_model
from modellint.quantizing import pairs
from modellint.quantizing.quantizer import nothing_quantized
from modellint.quantizing.recipes import RECIPES, find_recipe
from tests.samples import failed
from tests.support import model_from_text, run_cli, save


def _residual_network() -> onnx.ModelProto:
    """Return two convolutions around a residual addition, then a pool and a matrix product."""
    model = model_from_text("""
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[batch, 3, 8, 8] x) => (float[batch, 10] y) {
      a = Conv<pads = [1, 1, 1, 1]>(x, w0)
      ra = Relu(a)
      b = Conv<pads = [1, 1, 1, 1]>(ra, w1)
      c = Add(b, ra)
      rc = Relu(c)
      p = GlobalAveragePool(rc)
      f = Flatten(p)
      y = Gemm(f, w2, bias)
    }""")
    random = np.random.default_rng(0)
    shapes = {"w0": (8, 3, 3, 3), "w1": (8, 8, 3, 3), "w2": (8, 10), "bias": (10,)}
    for name, shape in shapes.items():
        weights = random.standard_normal(shape).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(weights, name))
    return model


def test_a_recipe_gives_what_the_linter_wants(tmp_path: Path) -> None:
    source = save(_residual_network(), tmp_path / "float.onnx")
    data = tmp_path / "data.npz"
    np.savez(data, x=np.random.default_rng(1).standard_normal((5, 3, 8, 8)).astype(np.float32))
    out = tmp_path / "int8.onnx"
    options = ("--recipe", "tensorrt-int8", "-o", out, "--data", data, "--json")
    done = run_cli("quantize", source, *options, "--max-drop", "sqnr=20", "--samples", "3")
    assert done.exit_code == 0, done
    result = json.loads(done.stdout)["results"][0]
    assert (result["layers"], result["quantized"]) == (3, 3)
    assert result["holds"] is True
    assert result["calibrated"] == 1, "the rows of an open batch are one input"
    assert result["judgment"]["errors"] == result["judgment"]["warnings"] == 0
    assert {noise["op_type"] for noise in result["noises"]} == {"Conv", "Gemm"}
    written = onnx.load(out)
    counts = Counter(node.op_type for node in written.graph.node)
    assert counts["QuantizeLinear"] == 3, "before each layer; the addition shares one"
    makers = {name: node.op_type for node in written.graph.node for name in node.output}
    addition = next(node for node in written.graph.node if node.op_type == "Add")
    assert sorted(makers[name] for name in addition.input) == ["Conv", "DequantizeLinear"]
    assert {p.key: p.value for p in written.metadata_props}["calibration.dataset"] == "data.npz"
    again = run_cli("quantize", source, *options)
    failed(again, "exists", "--force")


def test_a_layer_whose_activation_is_in_its_range_is_compared_after_that(tmp_path: Path) -> None:
    source = save(_residual_network(), tmp_path / "float.onnx")
    data = tmp_path / "data.npz"
    np.savez(data, x=np.random.default_rng(1).standard_normal((1, 3, 8, 8)).astype(np.float32))
    out = tmp_path / "int8.onnx"
    options = ("--recipe", "onnxruntime-int8", "-o", out, "--data", data, "--json")
    done = run_cli("quantize", source, *options)
    assert done.exit_code == 0, done
    assert [node for node in onnx.load(out).graph.node if node.op_type == "Relu"] == []
    noises = json.loads(done.stdout)["results"][0]["noises"]
    assert len(noises) == 3
    assert min(noise["sqnr"] for noise in noises) > 25


def test_a_static_recipe_without_data_is_refused(tmp_path: Path) -> None:
    source = save(_residual_network(), tmp_path / "float.onnx")
    out = tmp_path / "int8.onnx"
    failed(
        run_cli("quantize", source, "--recipe", "onnxruntime-int8", "-o", out),
        "--data",
        "--calibrate random",
    )
    assert not out.exists()
    failed(run_cli("quantize", source, "--recipe", "tensorrt", "-o", out), "tensorrt-int8")
    failed(run_cli("quantize", source, "--recipe", "int4", "-o", source), "is the model itself")


def test_only_what_lies_between_layers_is_quantized_with_them() -> None:
    graph = model_from_text("""
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[2, 4] x) => (float[2, 4] y)
    <float[4, 4] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7}, float[4] b = {1, 2, 3, 4}> {
      [first] n = LayerNormalization(x, b)
      [m1] p = MatMul(n, w)
      [between] q = Add(p, b)
      [m2] r = MatMul(q, w)
      [before_norm] s = Add(r, b)
      [last] y = LayerNormalization(s, b)
    }""").graph
    assert pairs.not_between_layers(graph, {"MatMul", "Add"}) == {"before_norm"}


@pytest.mark.parametrize(
    ("text", "sqnr", "cosine", "top1", "holds"),
    [
        ("sqnr=20", 25.0, 0.5, 0.5, True),
        ("sqnr=20dB", 15.0, 1.0, 1.0, False),
        ("cosine=0.01", 1.0, 0.995, 0.0, True),
        ("top1=1%", 99.0, 1.0, 0.98, False),
        ("top1=2%", 0.0, 0.0, 0.98, True),
    ],
)
def test_limits(text: str, sqnr: float, cosine: float, top1: float, holds: bool) -> None:
    deviation = Deviation(100, False, 9, ((10, 10), (10, 10)), cosine=cosine, sqnr=sqnr, top1=top1)
    assert parse_limit(text).holds([deviation]) is holds


@pytest.mark.parametrize("text", ["", "sqnr", "sqnr=20%", "top1=x", "accuracy=1%", "cosine=2"])
def test_limits_that_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="examples"):
        parse_limit(text)


def test_recipes_name_what_the_quantizer_knows() -> None:
    from onnxruntime.quantization import QuantType

    for name, recipe in RECIPES.items():
        assert find_recipe(name) is recipe
        assert recipe.weights in QuantType.__members__
        assert not recipe.activations or recipe.activations in QuantType.__members__


def test_given_inputs_are_read_and_checked(tmp_path: Path) -> None:
    from modellint.execution.given import InputReader

    model = read_model(save(_residual_network(), tmp_path / "float.onnx"))
    folder = tmp_path / "data"
    (folder / "case").mkdir(parents=True)
    rows = np.random.default_rng(1).standard_normal((9, 3, 8, 8))
    np.save(folder / "a.npy", rows)
    case = onnx.numpy_helper.from_array(rows[:1].astype(np.float32))
    (folder / "case" / "input_0.pb").write_bytes(case.SerializeToString())
    feeds = InputReader(model).read(folder)
    assert [feed["x"].shape[0] for feed in feeds] == [8, 1, 1]
    assert feeds[0]["x"].dtype == np.float32
    assert len(InputReader(model, samples=2).read(folder)) == 2
    np.save(folder / "b.npy", rows[:, :2])
    with pytest.raises(UsageError, match="shape"):
        InputReader(model).read(folder)
    (folder / "c.txt").write_text("some text")
    with pytest.raises(UsageError, match="--tokenizer"):
        InputReader(model).read(folder / "c.txt")


def test_a_recipe_that_quantizes_nothing_says_what_it_would(tmp_path: Path) -> None:
    nodes = read_model(save(_residual_network(), tmp_path / "m.onnx")).graph.nodes
    layers = [node for node in nodes if node.op_type == "Conv"]
    said = "dynamic quantizes no layer of this model"
    assert nothing_quantized(RECIPES["dynamic"], layers) == (
        f"{said}: it takes MatMul, Gemm, LSTM, Attention, and the layers here are Conv"
    )
    assert nothing_quantized(RECIPES["dynamic"], []) == f"{said}: it has none"
