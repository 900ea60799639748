"""Shapes of Reshapes of which ONNX Runtime makes constants before it places nodes."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnxruntime
import pytest

from modellint.formats import read_model
from modellint.placement import placement
from modellint.targets.deployment import Deployment
from tests.support import save

MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
m (float[b,s,64] x) => (float[c,h,d,t] y{outputs})
<int64 zero = {{0}}, int64 two = {{2}}, int64[1] ax = {{0}}, int64[2] heads = {{4,16}}>
{{
    r = Relu (x)
    s0 = Shape (r)
    first = Gather (s0, zero)
    batch = Unsqueeze (first, ax)
    s1 = Shape (x)
    {last}
    shape = Concat <axis = 0> ({parts})
    y = Reshape (r, shape)
    {more}
}}
"""
LAST = "g1 = Gather (s1, two) l = Unsqueeze (g1, ax)"
COMPUTED = "g1 = Add (first, two) l = Unsqueeze (g1, ax)"


@pytest.mark.parametrize(
    ("parts", "last", "outputs", "more"),
    [
        ("batch, heads, l", LAST, "", ""),
        ("batch, heads, l", COMPUTED, "", ""),
        ("l, heads, batch", COMPUTED, "", ""),
        ("heads, batch, l", LAST, "", ""),
        ("batch, heads, l", LAST, ", int64[4] shape", ""),
        ("batch, heads, l", LAST, ", int64[4] z", "z = Neg (shape)"),
        (
            "batch, heads, l",
            LAST,
            ", float[c,h,d,t] z",
            "q = Neg (r) again = Concat <axis = 0> (batch, heads, l) z = Reshape (q, again)",
        ),
    ],
)
def test_the_nodes_that_are_left(
    parts: str, last: str, outputs: str, more: str, tmp_path: Path
) -> None:
    text = MODEL.format(parts=parts, last=last, outputs=outputs, more=more)
    path = save(text, tmp_path / "m.onnx")
    found = placement(read_model(path), Deployment(runtime="coreml"))
    assert found is not None
    assert {node.op_type for node in found.nodes} == _optimized(path)


def _optimized(path: Path) -> set[str]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path.with_suffix(".basic.onnx"))
    options.log_severity_level = 4
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    model = onnx.load(options.optimized_model_filepath)
    return {node.op_type for node in model.graph.node}
