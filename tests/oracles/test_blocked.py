"""The ops that compute in blocks of channels, asked of the installed ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from modellint.analysis import blocked
from modellint.base.store import kept_toml

ort = pytest.importorskip("onnxruntime")

TABLE = kept_toml(Path(blocked.__file__).with_suffix(".toml"))
POOL: dict[str, Any] = {"kernel_shape": [3, 3], "pads": [1] * 4}
SEVERAL = ("Add", "Concat", "Mul", "Sum")
ATTRIBUTES: dict[str, dict[str, Any]] = {
    "AveragePool": POOL,
    "Concat": {"axis": 1},
    "MaxPool": POOL,
    "Resize": {
        "mode": "nearest",
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    },
    "Upsample": {"mode": "nearest"},
}
OTHERS = ("Clip", "Elu", "Erf", "LeakyRelu", "Softmax")


def _weight(name: str, *shape: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.full(shape, 0.5, np.float32), name)


def between_blocks(op: str) -> onnx.ModelProto:
    """A model with the op between what computes in blocks, and is not fused with it."""
    inputs, stored = ["pool"], [_weight("w", 32, 16, 3, 3)]
    stored.append(_weight("w2", 32, 64 if op == "Concat" else 32, 3, 3))
    if op in SEVERAL:
        inputs.append("other")
    elif op == "BatchNormalization":
        stored += [_weight(name, 32) for name in ("s", "b", "mean", "var")]
        inputs += ["s", "b", "mean", "var"]
    elif op in ("Resize", "Upsample"):
        stored.append(numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales"))
        inputs += ["", "scales"] if op == "Resize" else ["scales"]
    domain = "com.microsoft" if op == "QuickGelu" else ""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1] * 4),
        helper.make_node("MaxPool", ["c"], ["pool"], **POOL),
        helper.make_node("AveragePool", ["c"], ["other"], **POOL),
        helper.make_node(op, inputs, ["o"], domain=domain, **ATTRIBUTES.get(op, {})),
        helper.make_node("Conv", ["o", "w2"], ["y"], pads=[1] * 4),
    ]
    ends = [helper.make_tensor_value_info(n, 1, s) for n, s in (("x", [1, 16, 8, 8]), ("y", None))]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], stored)
    imports = {"": 9 if op == "Upsample" else 13, "com.microsoft": 1}
    opsets = [helper.make_opsetid(*each) for each in imports.items()]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.mark.parametrize("op", [*TABLE["begins"], *TABLE["continues"], *OTHERS])
def test_it_goes_on_in_blocks(op: str, tmp_path: Path) -> None:
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 4
    model = between_blocks(op).SerializeToString()
    ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    nodes = onnx.load(options.optimized_model_filepath).graph.node
    copies = sum(node.op_type == "ReorderOutput" for node in nodes)
    if all(node.op_type != "ReorderInput" for node in nodes):
        pytest.skip("convolutions are not computed in blocks on this processor")
    assert (copies == 1) == (op not in OTHERS)  # the model's own output is copied back
