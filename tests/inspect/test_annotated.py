"""Nodes of a drawing with what is known of them: an engine's layers, a run, weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from modellint.analysis.latency import latency
from modellint.inspector import Asked, inspect_and_draw, layers_in
from modellint.inspector.critical import critical_path
from modellint.profiles import read_run
from modellint.results.drawing import Drawing
from modellint.results.inspection import Inspection
from modellint.rules.registry import load_rules
from modellint.session import Session
from tests.inspect.support import HEADER, deployment
from tests.support import ROOT, run_cli, save

PROFILES = ROOT / "tests" / "data" / "profiles"


@pytest.fixture(scope="module")
def look() -> tuple[Inspection, Drawing]:
    """A small model with its engine, a run of it, and figures of its weights."""
    run = [PROFILES / f"trtexec-{part}.json" for part in ("times", "profile", "layers")]
    asked = Asked(
        (deployment("a10"),),
        load_rules(),
        every_layer=True,
        weights=True,
        layers=layers_in(PROFILES / "trtexec-layers.json"),
        run=read_run(run),
    )
    told, drawing = inspect_and_draw(PROFILES / "small.onnx", "small.onnx", asked)
    assert drawing is not None
    return told, drawing


def test_an_engine_tells_what_its_nodes_became(look: tuple[Inspection, Drawing]) -> None:
    _, drawing = look
    nodes = {node.name: node for node in drawing.nodes}
    assert nodes["conv1"].layer == nodes["relu1"].layer == "CaskConvolution: conv1 + relu1"
    assert nodes["sig"].engine == "float16"
    assert drawing.fused_by == "engine"
    fused = [[drawing.nodes[at].name for at in kernel] for kernel in drawing.kernels]
    assert ["conv1", "relu1"] in fused
    assert ["conv2", "add"] in fused


def test_times_are_those_of_a_kernel_s_main_node(look: tuple[Inspection, Drawing]) -> None:
    told, drawing = look
    nodes = {node.name: node for node in drawing.nodes}
    (first,) = [each for each in told.measured or () if "conv1" in each.nodes and each.op]
    assert nodes["conv1"].measured == pytest.approx(first.seconds)
    assert nodes["relu1"].measured is None
    assert (nodes["conv1"].expected or 0) > (nodes["conv1"].seconds or 0)
    assert nodes["relu1"].expected is None


def test_a_node_that_no_layer_names(tmp_path: Path) -> None:
    layers = json.loads((PROFILES / "trtexec-layers.json").read_text())
    layers["Layers"] = [each for each in layers["Layers"] if "sig" not in each["Name"]]
    export = tmp_path / "layers.json"
    export.write_text(json.dumps(layers))
    asked = Asked((deployment(),), load_rules(), layers=layers_in(export))
    _, drawing = inspect_and_draw(PROFILES / "small.onnx", "small.onnx", asked)
    assert drawing is not None
    assert [node.name for node in drawing.nodes if node.engine == "in no layer"] == ["sig"]


def test_figures_of_weights(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(
        HEADER + "g (float[1, 64] x) => (float[1, 64] y) { y = Add (x, w) }"
    )
    numbers = np.linspace(-1, 3, 64, dtype=np.float32)
    numbers[5], numbers[6], numbers[7] = np.nan, 0, np.inf
    many = np.arange(1 << 20, dtype=np.int8)
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(numbers, "w"),
            numpy_helper.from_array(many, "many"),
            numpy_helper.from_array(np.zeros(64, np.float32), "none"),
        ]
    )
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    told = json.loads(run_cli("inspect", path, "--weight-figures", "--json", "--isolated").stdout)
    small, large, none = told["weights"]
    assert (none["lowest"], none["highest"], none["zeros"]) == (0, 0, 64)
    assert (small["lowest"], small["highest"], small["not_finite"]) == (-1, 3, 2)
    assert small["zeros"] == 1
    assert sum(small["histogram"]) == 62
    assert small["mean"] == pytest.approx(numbers[np.isfinite(numbers)].mean(), rel=1e-4)
    assert large["read"] < large["elements"] == 1 << 20, "a sample"
    shown = run_cli("inspect", path, "--weight-figures", "--isolated").stdout
    assert "2 not finite" in shown
    assert json.loads(run_cli("inspect", path, "--json", "--isolated").stdout)["weights"] is None


def test_the_critical_path_is_the_longer_branch(tmp_path: Path) -> None:
    text = (
        HEADER
        + """
        g (float[64, 512] x) => (float[64, 1024] y)
        <float[512, 4096] a, float[4096, 512] b, float[512, 512] c> {
            start = Sqrt (x)
            long1 = MatMul (start, a)
            long2 = MatMul (long1, b)
            short = MatMul (x, c)
            y = Concat <axis = 1> (long2, short)
        }
        """
    )
    model = onnx.load(save(text, tmp_path / "model.onnx"))
    for name, shape in (("a", (512, 4096)), ("b", (4096, 512)), ("c", (512, 512))):
        weight = numpy_helper.from_array(np.zeros(shape, np.float32), name)
        model.graph.initializer.append(weight)
    del model.graph.value_info[:]
    onnx.save(model, tmp_path / "model.onnx")
    placed = deployment("a10")
    opened = Session((placed,)).open(tmp_path / "model.onnx", "model.onnx")
    found = opened.under(placed).get(latency)
    assert found is not None
    path = critical_path(found)
    named = {node.label for node in opened.model.graph.nodes if id(node) in path}
    assert {"long1", "long2"} <= named
    assert "short" not in named
