"""Files that change while they are read: one finding, and all others are linted."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from modellint import session
from modellint.formats import read_model
from modellint.model import Model
from tests.samples import INFO, lint_json, project

SIZE = 1 << 18


def weighty(*, external: bool) -> onnx.ModelProto:
    """Return a model with two equal weights, which rules look into."""
    numbers = np.zeros((SIZE >> 9, 1 << 9), np.float32)
    weights = [numpy_helper.from_array(numbers, name) for name in ("v", "w")]
    if external:
        for place, weight in enumerate(weights):
            weight.ClearField("raw_data")
            weight.data_location = onnx.TensorProto.EXTERNAL
            stated = {"location": "w.bin", "offset": str(4 * SIZE * place)}
            for key, value in {**stated, "length": str(4 * SIZE)}.items():
                weight.external_data.add(key=key, value=value)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "v"], ["h"]),
            helper.make_node("MatMul", ["x", "w"], ["i"]),
            helper.make_node("Add", ["h", "i"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", 1, [1, SIZE >> 9])],
        [helper.make_tensor_value_info("y", 1, [1, 1 << 9])],
        weights,
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.mark.parametrize("external", [False, True])
@pytest.mark.parametrize("left", [1000, 5 * SIZE])
def test_a_file_that_shrinks_is_one_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, external: bool, left: int
) -> None:
    def read_and_shrink(path: Path) -> Model:
        model = read_model(path)
        if path.name == "shrinks.onnx":
            os.truncate(path.with_name("w.bin") if external else path, left)
        return model

    project(tmp_path, {"a.onnx": INFO, "z.onnx": INFO})
    (tmp_path / "shrinks.onnx").write_bytes(weighty(external=external).SerializeToString())
    (tmp_path / "w.bin").write_bytes(bytes(8 * SIZE if external else 0))
    monkeypatch.setattr(session, "read_model", read_and_shrink)
    document = lint_json(".", "--no-cache", "--jobs", "1", cwd=tmp_path)
    found = [each for each in document["findings"] if each["path"] == "shrinks.onnx"]
    (changed,) = [each for each in found if each["family"] in ("file", "internal")]
    assert "changed while it was read" in changed["message"]
    assert {each["path"] for each in document["findings"]} >= {"a.onnx", "z.onnx"}
