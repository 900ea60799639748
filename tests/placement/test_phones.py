"""Placement by ONNX Runtime's providers for phones: their lists of operators and restrictions."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.formats import read_model
from modellint.placement import UnitPlacement, placement
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.support import save

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
NORMALIZED = """
g (float[2,16] x) => (float[2,16] y) <float two = {2.0}, float e = {0.00001}, float[16] w>
{
    m = ReduceMean <axes = [-1]> (x)
    d = Sub (x, m)
    q = Pow (d, two)
    v = ReduceMean <axes = [-1]> (q)
    a = Add (v, e)
    r = Sqrt (a)
    n = Div (d, r)
    s = Mul (n, w)
    b = Add (s, w)
    y = Relu (b)
}
"""


def placed(text: str, runtime: str, folder: Path) -> UnitPlacement:
    model = read_model(save(HEAD + text, folder / "m.onnx"))
    found = placement(model, Deployment(runtime=runtime))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("g (float[1,3,8,8] x) => (float[1,3,8,8] y) { y = HardSigmoid (x) }", "coreml"),
        (
            "g (float[1,3,8,8] x) => (float[1,192] y) { y = Flatten (x) }",
            "coreml-neuralnetwork nnapi",
        ),
        (
            "g (float[N,3] x) => (float[N,3] y) { y = Relu (x) }",
            "coreml coreml-neuralnetwork",
        ),
        (
            "g (float[2,3] x, float[3,4] w) => (float[2,4] y) { y = MatMul (x, w) }",
            "coreml nnapi",
        ),
        (
            "g (float[1,1,1,1,2,2] x) => (float[1,1,1,1,2,2] y) { y = Relu (x) }",
            "nnapi",
        ),
        (
            "g (float[1,2,9] x, float[2,2,3] w) => (float[1,2,7] y) { y = Conv (x, w) }",
            "coreml",
        ),
    ],
)
def test_one_node(text: str, taken: str, tmp_path: Path) -> None:
    runtimes = ("coreml", "coreml-neuralnetwork", "nnapi")
    whole = [name for name in runtimes if placed(text, name, tmp_path).is_whole]
    assert whole == taken.split()


def test_what_is_fused_before_goes_where_the_whole_goes(tmp_path: Path) -> None:
    assert placed(NORMALIZED, "coreml", tmp_path).is_whole
    left = placed(NORMALIZED, "coreml-neuralnetwork", tmp_path)
    assert left.counts == {"Core ML": 1, "CPU": 9}
    words = {refusal.words for refusal in left.refusals.values()}
    assert words == {"is fused into LayerNormalization, which is not supported"}


def test_a_pad_becomes_part_of_its_convolution(tmp_path: Path) -> None:
    text = """
        g (float[1,3,8,8] x) => (float[1,4,8,8] y)
        <int64[8] p = {0,0,1,1,0,0,1,1}, float[4,3,3,3] w>
        { a = Pad (x, p)
          y = Conv (a, w) }
    """
    assert [node.op_type for node in placed(text, "coreml", tmp_path).nodes] == ["Conv"]


def test_conversions_go_by_the_table(tmp_path: Path) -> None:
    text = """
        g (float[4] x) => (float[4] y) <float s = {0.1}, uint8 z = {0}>
        { q = QuantizeLinear (x, s, z)
          y = DequantizeLinear (q, s, z) }
    """
    assert not placed(text, "coreml", tmp_path).accelerated
    assert placed(text, "nnapi", tmp_path).is_whole


def test_apples_devices_say_what_runs_where(tmp_path: Path) -> None:
    device = find_target("apple-m4")
    assert device.default_runtime == "coreml"
