"""Products with a bias on a chip that computes in integers only: as Qualcomm's compiler does it."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.formats import read_model
from modellint.placement import UnitPlacement, placement
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.support import save

HEAD = '<ir_version: 8, opset_import: ["" : 17]>'
WEIGHT, ONES = ",".join(["0.5"] * 64), ",".join(["1"] * 8)
PRODUCT = """
m (float[{shape}] x) => (float[{shape}] y)
<float[8,8] w = {{{weight}}}, float[{bias}] b = {{{ones}}}>
{{
    a = Relu (x)
    product = MatMul (a, w)
    total = Add (product, b)
    y = Relu (total)
}}
"""
ATTENTION = """
m (float[1,4,8] x) => (float[1,4,8] y) <float[8,8] w = {{{weight}}}, float[8] b = {{{ones}}}>
{{
    w2 = Neg (w)
    w3 = Exp (w)
    twice = Add (x, x)
    n = LayerNormalization (twice, b, b)
    q = MatMul (n, w)
    query = Add (q, b)
    k = MatMul (n, w2)
    key = Add (k, b)
    v = MatMul (n, w3)
    values = Add (v, b)
    weighed = Mul (query, key)
    of = Mul (weighed, values)
    o = MatMul (of, w)
    result = Add (o, b)
    y = Add (result, n)
}}
"""


def on_qcs6490(text: str, folder: Path) -> UnitPlacement:
    model = read_model(save(HEAD + text, folder / "m.onnx"))
    found = placement(model, Deployment(find_target("qcs6490"), "qnn"))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("shape", "bias", "parts"),
    [
        ("1,4,8", "8", ["product/gemm_input_reshape", "total/gemm_output_reshape"]),
        ("4,8", "8", []),
        ("1,4,8", "1,1,8", []),
        ("n,4,8", "8", []),
    ],
)
def test_reshapes_around_a_gemm_are_parts(
    shape: str, bias: str, parts: list[str], tmp_path: Path
) -> None:
    text = PRODUCT.format(shape=shape, bias=bias, weight=WEIGHT, ones=ONES)
    found = on_qcs6490(text, tmp_path)
    assert [[node.label for node in part.nodes] for part in found.accelerated] == [
        [name] for name in parts
    ]


def test_projections_of_an_attention_stay_products(tmp_path: Path) -> None:
    text = ATTENTION.format(weight=WEIGHT, ones=ONES)
    assert not on_qcs6490(text, tmp_path).accelerated
