"""Names as long as a file are shortened where they enter, so that no output repeats them."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from modellint.base.text import LONGEST_NAME, bounded
from modellint.formats import read_model
from modellint.rules.inline import KEY
from tests.growth import is_linear
from tests.samples import lint_json
from tests.support import run_cli

LONG = "n" * 100_000
OTHER = f"{'n' * 50_000}x{'n' * 49_999}"


def dead_nodes(
    path: Path, *, count: int = 20, graph: str = "g", name: str = "x", ignore: str = ""
) -> Path:
    """A model whose nodes but one are for nothing, each of which is a finding."""
    given = helper.make_tensor_value_info(name, TensorProto.FLOAT, (2,))
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, (2,))
    nodes = [helper.make_node("Relu", [name], [f"d{index}"]) for index in range(count)]
    nodes.append(helper.make_node("Relu", [name], ["y"]))
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(
        helper.make_graph(nodes, graph, [given], [made]), opset_imports=opsets, ir_version=8
    )
    if ignore:
        helper.set_model_props(model, {KEY: ignore})
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("name", [LONG, "\u202e" * 100_000])
def test_no_output_repeats_a_long_name(name: str, tmp_path: Path) -> None:
    long = dead_nodes(tmp_path / "long.onnx", graph=name, name=name)
    usual = dead_nodes(tmp_path / "usual.onnx", graph="g" * 400, name="x" * 400)
    for output in ("full", "concise", "json", "jsonl", "sarif", "junit", "markdown", "github"):
        sizes = [len(run_cli(path, "--output", output).stdout) for path in (long, usual)]
        assert sizes[0] < 8 * sizes[1], output  # a character can be an escape of six
    sizes = [len(run_cli("inspect", path, "-o", "json").stdout) for path in (long, usual)]
    assert sizes[0] < 8 * sizes[1]


def test_long_names_stay_distinct(tmp_path: Path) -> None:
    assert len({bounded(LONG), bounded(OTHER)}) == 2
    assert all(len(bounded(each)) <= LONGEST_NAME for each in (LONG, OTHER))
    assert bounded(bounded(LONG)) == bounded(LONG)
    assert bounded("x" * LONGEST_NAME) == "x" * LONGEST_NAME


def test_shapes_are_inferred_behind_a_long_name(tmp_path: Path) -> None:
    model = read_model(dead_nodes(tmp_path / "a.onnx", name=LONG))
    assert model.graph.values["d7"].shape == (2,)
    assert [value.name for value in model.graph.inputs] == [bounded(LONG)]


def test_a_layer_with_a_long_name(tmp_path: Path) -> None:
    tensor = {"Name": LONG, "Dimensions": [1]}
    layers = [{"Name": LONG, "LayerType": LONG, "Inputs": [tensor]}]
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"Layers": layers, "Bindings": [LONG]}))
    graph = read_model(path).graph
    assert [graph.nodes[0].name, graph.nodes[0].op_type] == [bounded(LONG)] * 2
    assert [value.name for value in graph.inputs] == [bounded(LONG)]


def test_long_metadata_stay_whole(tmp_path: Path) -> None:
    ignore = ",".join(f"XYZ{index:03d}" for index in range(900)) + ",HYG002"
    path = dead_nodes(tmp_path / "a.onnx", ignore=ignore)
    found = lint_json(path, "--select", "HYG002")["findings"]
    assert len(found) == 20
    assert all(each["suppressed"] for each in found)


def test_what_a_model_ignores_is_read_once(tmp_path: Path) -> None:
    def lint(size: int) -> None:
        path = tmp_path / f"{size}.onnx"
        if not path.exists():
            ignore = ",".join(f"XYZ{index}" for index in range(size * 5))
            dead_nodes(path, count=size, ignore=ignore)
        run_cli(path, "--select", "HYG002", "--no-cache")

    assert is_linear(lint, 100, 8)
