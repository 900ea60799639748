"""Nodes on a chip that computes in integers only: Qualcomm's compiler takes all of `CARRIED`."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.formats import read_model
from modellint.placement import placement
from modellint.placement.pairs import is_between_pairs
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.support import save

HEAD = '<ir_version: 8, opset_import: ["" : 17]>'
CARRIED = """
m (float[1,8,4,4] x) => (float[1,4,4,3] y)
<float s = {0.1}, uint8 z = {3}, int64[1] from = {0}, int64[1] to = {3}, int64[1] axis = {3}>
{
    q = QuantizeLinear (x, s, z)
    d = DequantizeLinear (q, s, z)
    moved = Transpose <perm = [0, 2, 3, 1]> (d)
    computed = Sigmoid (moved)
    r = QuantizeLinear (computed, s, z)
    e = DequantizeLinear (r, s, z)
    turned = Transpose <perm = [0, 2, 1, 3]> (e)
    part = Slice (turned, from, to, axis)
    t = QuantizeLinear (part, s, z)
    y = DequantizeLinear (t, s, z)
}
"""
INDEXED = """
m (float[1,8] x, int64[1] to) => (float[1,n] y)
<float s = {0.1}, uint8 z = {3}, int64[1] from = {0}, int64[1] axis = {1}>
{
    q = QuantizeLinear (x, s, z)
    d = DequantizeLinear (q, s, z)
    part = Slice (d, from, to, axis)
    t = QuantizeLinear (part, s, z)
    y = DequantizeLinear (t, s, z)
}
"""
COMPUTED = """
m (float[1,8] x) => (float[1,8] y) <float s = {0.1}, uint8 z = {3}>
{
    q = QuantizeLinear (x, s, z)
    d = DequantizeLinear (q, s, z)
    first = Sigmoid (d)
    second = Tanh (first)
    t = QuantizeLinear (second, s, z)
    y = DequantizeLinear (t, s, z)
}
"""


def in_floats(text: str, folder: Path) -> set[str]:
    """Return the nodes that the chip does not take since they compute in floats."""
    model = read_model(save(HEAD + text, folder / "m.onnx"))
    found = placement(model, Deployment(find_target("qcs6490"), "qnn"))
    assert found is not None
    causes = {node.label: found.refusal_of(node) for node in found.nodes}
    return {name for name, cause in causes.items() if cause and cause.cause == "precision"}


@pytest.mark.parametrize(
    ("text", "left"), [(CARRIED, set()), (INDEXED, set()), (COMPUTED, {"first", "second"})]
)
def test_pairs_are_carried_over_what_only_moves(text: str, left: set[str], tmp_path: Path) -> None:
    assert in_floats(text, tmp_path) == left


def test_a_gelu_is_not_taken_in_floats(tmp_path: Path) -> None:
    text = """
    m (float[1,8] x) => (float[1,8] y) <float r = {1.4142135}, float one = {1}, float half = {0.5}>
    {
        a = Div (x, r)
        erf = Erf (a)
        b = Add (erf, one)
        c = Mul (x, b)
        y = Mul (c, half)
    }
    """
    assert "erf" in in_floats(text, tmp_path)


def test_what_only_moves_in_a_circle_has_no_pairs(tmp_path: Path) -> None:
    text = """
    m (float[1,8] x) => (float[1,8] y) <int64[2] to = {1, 8}>
    {
        a = Reshape (b, to)
        b = Reshape (a, to)
        c = Reshape (c, to)
        y = Add (b, x)
    }
    """
    model = read_model(save(HEAD + text, tmp_path / "m.onnx"))
    assert not any(map(is_between_pairs, model.graph.nodes))


NORMALIZED = """
m (float[1,4,8] x) => (float[1,4,8] y)
<float s = {{0.1}}, {data} z = {{3}}, {scale} zw = {{3}}, {scale}[8] w = {{{ones}}},
 int32[8] b = {{{ones}}}, int32 zb = {{0}}>
{{
    q = QuantizeLinear (x, s, z)
    d = DequantizeLinear (q, s, z)
    wd = DequantizeLinear (w, s, zw)
    bd = DequantizeLinear (b, s, zb)
    normal = LayerNormalization <axis = -1, epsilon = 0.00001> (d, wd, bd)
    t = QuantizeLinear (normal, s, z)
    e = DequantizeLinear (t, s, z)
    active = Sigmoid (e)
    u = QuantizeLinear (active, s, z)
    y = DequantizeLinear (u, s, z)
}}
"""


@pytest.mark.parametrize(
    ("data", "scale", "left"),
    [("uint8", "uint8", 0), ("uint8", "int8", 6), ("int8", "int8", 0), ("int8", "uint8", 6)],
)
@pytest.mark.parametrize("target", ["qcs6490", "snapdragon-8-gen-3"])
def test_a_normalization_in_types_that_go_together(
    data: str, scale: str, left: int, target: str, tmp_path: Path
) -> None:
    text = HEAD + NORMALIZED.format(data=data, scale=scale, ones=",".join(["1"] * 8))
    model = read_model(save(text, tmp_path / "m.onnx"))
    found = placement(model, Deployment(find_target(target), "qnn"))
    assert found is not None
    assert len(found.refusals) == left
    assert len(found.accelerated) == 1
