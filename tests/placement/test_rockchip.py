"""Placement on Rockchip's NPU, and how its toolkit's table of layers is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.formats import read_model
from modellint.placement import placement
from modellint.runtimes.rknn.log import errors, layers, memory, possible_names
from modellint.runtimes.rknn.probe import RknnBuild
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.support import save

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
STAMP = "D RKNN: [21:45:19.080]"
LOG = f"""
{STAMP}                     Network Layer Information Table
{STAMP} ID   OpType             DataType Target InputShape       OutputShape    Cycles(DDR/NPU/Total)    RW(KB)       FullName
{STAMP} 0    InputOperator      FLOAT16  CPU    \\                (1,3,8,8)      0/0/0                    0            InputOperator:x
{STAMP} 1    ConvClip           FLOAT16  NPU    (1,3,8,8),(4)    (1,4,8,8)      46868/225792/225792      298          Conv:/m/first/Conv
{STAMP} 2    IsNaN              FLOAT16  CPU    (1,4,8,8)        (1,4,8,8)      0/0/0                    16           IsNaN:/m/IsNaN
{STAMP} 3    ConvAdd            FLOAT16  NPU    (1,4,8,8)        (1,4,8,8)      1/2/3                    2            Conv:/m/last/MatMul#2_ConvAdd
{STAMP} 4    OutputOperator     FLOAT16  CPU    (1,4,8,8)        \\              0/0/0                    0            OutputOperator:y
{STAMP}                     Feature Tensor Information Table
{STAMP} Total Internal Memory Size: 0.625KB
{STAMP} Total Weight Memory Size: 2KB
E RKNN: [21:45:19.080] Unkown op target: 0
E build: The input 0 of NonZero('nz') need to be constant!
"""  # noqa: E501 - as it is printed


def test_the_table_of_layers() -> None:
    built = RknnBuild(True, tuple(layers(LOG)))
    assert [each.unit for each in built.layers] == ["NPU", "CPU", "NPU"]
    assert [each.name for each in built.left] == ["/m/IsNaN"]
    assert len(built.partitions) == 2
    assert sum(each.cycles for each in built.layers) == 225795
    assert built.layers[0].moved_bytes == 298 << 10
    assert "/m/last/MatMul" in possible_names(built.layers[2])


def test_memory_and_errors() -> None:
    assert memory(LOG) == {"internal": 640, "weight": 2048}
    assert errors(LOG) == ["build: The input 0 of NonZero('nz') need to be constant!"]


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("g (float[1,8] x) => (float[1,8] y) { y = Sigmoid (x) }", {"NPU": 1}),
        ("g (float[1,8] x) => (bool[1,8] y) { y = IsNaN (x) }", {"NPU": 0, "CPU": 1}),
        (
            "g (int64[1,8] i) => (float[1,8,4] y) <float[9,4] w> { y = Gather (w, i) }",
            {"NPU": 0, "CPU": 1},
        ),
        ("g (float[N,8] x) => (float[N,8] y) { y = Sigmoid (x) }", {"NPU": 0, "CPU": 1}),
    ],
)
def test_one_node(text: str, counts: dict[str, int], tmp_path: Path) -> None:
    device = find_target("rk3588")
    found = placement(
        read_model(save(HEAD + text, tmp_path / "m.onnx")),
        Deployment(device, device.default_runtime),
    )
    assert found is not None
    assert found.counts == counts
    assert found.measured


@pytest.mark.parametrize(("target", "left"), [("rk3588", 1), ("rk3566", 1), ("rk3576", 0)])
def test_chips_differ(target: str, left: int, tmp_path: Path) -> None:
    text = "g (int64[1,8] i) => (float[1,8,4] y) <float[9,4] w> { y = Gather (w, i) }"
    path = save(HEAD + text, tmp_path / "m.onnx")
    found = placement(read_model(path), Deployment(find_target(target), "rknn"))
    assert found is not None
    assert len(found.refusals) == left


@pytest.mark.parametrize(("target", "left"), [("rk3588", 0), ("rk3566", 1), ("rk3568", 1)])
def test_a_softmax_in_floats(target: str, left: int, tmp_path: Path) -> None:
    path = save(
        HEAD + "g (float[1,4,32] x) => (float[1,4,32] y) { y = Softmax (x) }", tmp_path / "m.onnx"
    )
    found = placement(read_model(path), Deployment(find_target(target), "rknn"))
    assert found is not None
    assert len(found.refusals) == left


@pytest.mark.parametrize(
    ("attributes", "cause"),
    [
        ("axis = -1, epsilon = 0.00001", None),
        ("axis = -1", "refused"),
        ("epsilon = 0.00001", "refused"),
    ],
)
def test_a_normalization_states_its_attributes(
    attributes: str, cause: str | None, tmp_path: Path
) -> None:
    text = f"""g (float[1,4,2] x) => (float[1,4,2] y) <float[2] s = {{1, 1}}> {{
        y = LayerNormalization <{attributes}> (x, s)
    }}"""
    path = save(HEAD + text, tmp_path / "m.onnx")
    found = placement(read_model(path), Deployment(find_target("rk3588"), "rknn"))
    assert found is not None
    assert [each.cause for each in found.refusals.values()] == ([cause] if cause else [])


ATTENTION = """g (float[1,1,{rows},8] q, float[1,{rows},8] v) => (float[1,{rows},8] y)
<int64[4] heads = {{1, {rows}, 1, 8}}, int64[3] joined = {{1, {rows}, 8}}> {{
    a = Relu (v)
    split = Reshape (a, heads)
    values = Transpose <perm = [0, 2, 1, 3]> (split)
    keys = Transpose <perm = [0, 1, 3, 2]> (q)
    scores = MatMul (q, keys)
    weights = Softmax <axis = -1> (scores)
    found = MatMul (weights, values)
    back = Transpose <perm = [0, 2, 1, 3]> (found)
    flat = Reshape (back, joined)
    y = Add (flat, v)
}}"""


@pytest.mark.parametrize(
    ("target", "rows", "parts"), [("rk3588", 10, 1), ("rk3566", 12, 2), ("rk3566", 10, 4)]
)
def test_rows_of_an_attention_that_are_no_whole_blocks(
    target: str, rows: int, parts: int, tmp_path: Path
) -> None:
    path = save(HEAD + ATTENTION.format(rows=rows), tmp_path / "m.onnx")
    found = placement(read_model(path), Deployment(find_target(target), "rknn"))
    assert found is not None
    assert len(found.accelerated) == parts


def test_a_mask_of_booleans_is_converted_on_the_cpu(tmp_path: Path) -> None:
    text = """g (float[1,8] x, int64[1,8] mask, bool[1,8] m) => (float[1,8] y) <float low = {-9}> {
        a = Relu (x)
        kept = Cast <to = 9> (mask)
        both = And (kept, m)
        y = Where (both, a, low)
    }"""
    path = save(HEAD + text, tmp_path / "m.onnx")
    found = placement(read_model(path), Deployment(find_target("rk3588"), "rknn"))
    assert found is not None
    assert [len(each.nodes) for each in found.accelerated] == [2, 1]
    assert {each.op_type for each in found.nodes if found.refusal_of(each)} == {"Cast"}


@pytest.mark.parametrize(("given", "left"), [("1", 0), ("0", 1)])
def test_an_average_that_leaves_out_its_padding(given: str, left: int, tmp_path: Path) -> None:
    text = f"""g (float[1,8,4,4] x) => (float[1,8,4,4] y) {{
        y = AveragePool <kernel_shape = [3,3], pads = [1,1,1,1], count_include_pad = {given}> (x)
    }}"""
    path = save(HEAD + text, tmp_path / "m.onnx")
    found = placement(read_model(path), Deployment(find_target("rk3588"), "rknn"))
    assert found is not None
    assert len(found.refusals) == left


@pytest.mark.parametrize(("target", "parts"), [("rk3588", 2), ("rk3566", 3)])
def test_the_order_of_layers(target: str, parts: int, tmp_path: Path) -> None:
    text = """g (float[1,8] x, int64[1,8] i) => (float[1,8] y) <int64 axis = {1}> {
        a = Relu (x)
        counted = CumSum (i, axis)
        kept = Mul (counted, i)
        places = Cast <to = 1> (kept)
        y = Add (a, places)
    }"""
    path = save(HEAD + text, tmp_path / "m.onnx")
    found = placement(read_model(path), Deployment(find_target(target), "rknn"))
    assert found is not None
    assert len(found.accelerated) == parts
