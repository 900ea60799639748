"""Analyses see the same in a graph whose nodes are not sorted, which ONNX Runtime loads."""

from __future__ import annotations

from pathlib import Path

from modellint.formats import read_model
from tests.support import save

UNSORTED = """
<ir_version: 8, opset_import: ["" : 17]>
m (float[2,8] x) => (float[2,1] y)
{
    c = Relu (b)
    y = ReduceMean <axes = [1]> (c)
    b = MatMul (x, w)
    w = Identity (v)
    v = Constant <value = float[8,4] {
        1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4,
        1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4}> ()
}
"""


def test_shapes_of_an_unsorted_graph(tmp_path: Path) -> None:
    values = read_model(save(UNSORTED, tmp_path / "m.onnx")).graph.values
    assert {name: values[name].shape for name in "wbc"} == {"w": (8, 4), "b": (2, 4), "c": (2, 4)}
