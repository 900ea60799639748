"""Shapes of Reshapes of which ONNX Runtime makes constants before it places nodes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import onnx
import onnxruntime
import pytest

from modellint.formats import read_model
from modellint.forms.facts import Facts
from modellint.model import Model
from modellint.placement import placement
from modellint.placement.reshapes import shape_makers
from modellint.targets.deployment import Deployment
from tests.growth import is_linear
from tests.support import save

T = TypeVar("T")

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


class _Asked(Facts):
    """A model of which each analysis is made once, before the work is measured."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._known: dict[Any, Any] = {}

    @property
    def model(self) -> Model:
        return self._model

    def analysis(self, analyse: Callable[[Model, Deployment], T]) -> T:
        if analyse not in self._known:
            self._known[analyse] = analyse(self._model, Deployment())
        return cast("T", self._known[analyse])


def test_many_reshapes_by_one_shape_take_no_time_by_the_square(tmp_path: Path) -> None:
    small, factor = 100, 16
    asked = {}
    for count in (small, small * factor):
        pairs = [f"r{at} = Add (x, r{at - 1}) y{at} = Reshape (r{at}, s)" for at in range(1, count)]
        text = f"""<ir_version: 8, opset_import: ["" : 17]>
        m (float[b,4,4] x) => (float[c,d] y1) <int64[1] flat = {{-1}}> {{
            d = Shape <start = 0, end = 1> (x) s = Concat <axis = 0> (d, flat)
            r0 = Relu (x)
            {" ".join(pairs)}
        }}"""
        asked[count] = _Asked(read_model(save(text, tmp_path / f"{count}.onnx")))
        assert shape_makers(asked[count]) == frozenset()
    assert is_linear(lambda count: shape_makers(asked[count]), small, factor)
