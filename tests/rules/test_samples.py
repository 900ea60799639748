"""Findings about large weights, of which a sample is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from modellint.engine import lint_file
from modellint.plan import Plan
from modellint.rules.registry import load_rules


@pytest.mark.parametrize(
    ("code", "rows", "read"),
    [
        ("NUM010", 64, "weight"),
        ("NUM010", 640, "a sample of weight"),
        ("NUM012", 640, "a sample of weight"),
    ],
)
def test_the_message_says_how_much_was_read(
    code: str, rows: int, read: str, tmp_path: Path
) -> None:
    weight = np.zeros((rows, 640), np.float32)
    weight[::2] = 0.0 if code == "NUM010" else np.eye(1, 640, dtype=np.float32)
    sides = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size])
        for name, size in (("x", rows), ("y", 640))
    ]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph(
        [node], "g", sides[:1], sides[1:], [numpy_helper.from_array(weight, "w")]
    )
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, ir_version=8), path)
    (found,) = lint_file(path, path.name, Plan(rules=(load_rules()[code],))).findings
    assert f" of {read} 'w' (" in found.message
