"""Nodes are shared out between a Jetson's DLA and its GPU as the logs of TensorRT say.

The models are small ones with the layers of those whose logs were published: NVIDIA's tutorial
(https://github.com/NVIDIA-AI-IOT/jetson_dla_tutorial), and detectors
(https://github.com/ultralytics/ultralytics/issues/18012, and pull request 16449).
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from modellint.formats import read_model
from modellint.placement import UnitPlacement, placement
from modellint.placement.timed import latency_on_units
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.support import run_cli, save

HEAD = '<ir_version: 8, opset_import: ["" : 17]>\n'
ORIN = "jetson-agx-orin-64gb"
TUTORIAL = """
g (float[32,3,32,32] x) => (float[32,10] y)
<
    int64[4] s0 = {64, 3, 3, 3}, int64[4] s1 = {512, 64, 3, 3}, int64[2] s2 = {10, 512},
    int64[2] flat = {32, -1}
>
{
    w0 = ConstantOfShape (s0)
    w1 = ConstantOfShape (s1)
    w2 = ConstantOfShape (s2)
    c0 = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (x, w0)
    r0 = Relu (c0)
    c1 = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (r0, w1)
    i = Identity (c1)
    r1 = Relu (i)
    p = GlobalAveragePool (r1)
    f = Reshape (p, flat)
    z = Gemm <transB = 1> (f, w2)
    y = Dropout (z)
}
"""


def placed(
    text: str, folder: Path, version: str = "10.3", precision: str = "fp16", target: str = ORIN
) -> UnitPlacement | None:
    model = read_model(save(HEAD + text, folder / "m.onnx"))
    where = find_target(target)
    return placement(model, Deployment(where, "tensorrt", version, precision, dla=True))


def refusals(text: str, folder: Path, **asked: str) -> dict[str, str]:
    found = placed(text, folder, **asked)
    assert found is not None
    told = {node.label: found.refusal_of(node) for node in found.nodes}
    return {label: refusal.words for label, refusal in told.items() if refusal is not None}


def test_parts_are_the_loadables_of_the_log(tmp_path: Path) -> None:
    found = placed(TUTORIAL, tmp_path)
    assert found is not None
    parts = [(part.unit, [node.label for node in part.nodes]) for part in found.partitions]
    assert parts == [
        ("DLA", ["c0", "r0", "c1", "r1"]),
        ("GPU", ["p", "f"]),
        ("DLA", ["z"]),
    ]
    assert {each.value.name for each in found.boundaries} == {"r1", "f"}
    assert found.most == 16


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ("Concat <axis = 2> (a, a)", "with axis 2"),
        ("Slice (a, one, two)", ""),
        ("Div (a, a)", "is not supported"),
        ("Split <axis = 1, num_outputs = 1> (a)", ""),
        ("ReduceMean <axes = [2, 3]> (a)", "is not supported"),
        ("MatMul (a, a)", "with weights computed at run time"),
        ("MatMul (a, w)", ""),
        ("Reshape (a, flat)", "with output 1 of rank 3"),
        ("Transpose <perm = [0, 1, 3, 2]> (a)", ""),
        ("MaxPool <kernel_shape = [9, 9], pads = [4, 4, 4, 4]> (a)", "with kernel_shape 9, 9"),
        ('Resize <mode = "linear"> (a, e, eight)', "with a dim enlarged from 8 to 64"),
        ('Resize <mode = "nearest"> (a, e, eight)', ""),
        ('Resize <mode = "cubic"> (a, e, twice)', "with mode cubic"),
        ("ConvTranspose <pads = [1, 1, 1, 1]> (a, k)", "with pads 1, 1, 1, 1"),
        ("ConvTranspose (a, k)", ""),
    ],
)
def test_forms(node: str, words: str, tmp_path: Path) -> None:
    text = f"""
    g (float[1,4,8,8] x) => (float[] y)
    <
        int64[2] square = {{8, 8}}, int64[4] kernel = {{4, 4, 3, 3}}, float[0] e,
        float[4] eight = {{1, 1, 8, 8}},
        float[4] twice = {{1, 1, 2, 2}}, int64[3] flat = {{1, 4, 64}},
        int64[1] one = {{1}}, int64[1] two = {{2}}
    >
    {{
        w = ConstantOfShape (square)
        k = ConstantOfShape (kernel)
        a = Relu (x)
        y = {node}
    }}
    """
    found = refusals(text, tmp_path)
    assert found.keys() == ({"y"} if words else set())
    assert words in found.get("y", "")


ATTENTION = """
g (float[1,256,4,4] x) => (float[1,4,32,16] y)
<int64[4] heads = {1, 4, 64, 16}, int64[2] half = {32, 32}>
{
    a = Relu (x)
    r = Reshape (a, heads)
    q, k = Split <axis = 2> (r, half)
    y = Add (q, k)
}
"""


def test_a_reshape_next_to_a_slice_is_left_to_the_gpu(tmp_path: Path) -> None:
    assert refusals(ATTENTION, tmp_path) == {"r": "is not supported with a Split next to it"}


def test_the_release_and_the_device_decide(tmp_path: Path) -> None:
    quotient = "g (float[1,4,8,8] x) => (float[1,4,8,8] y) { y = Div (x, x) }"
    assert refusals(quotient, tmp_path, version="11.4.1") == {}
    assert placed(quotient, tmp_path, version="10.8") is None
    assert placed(quotient, tmp_path, target="jetson-agx-thor", version="11.5") is None
    softmax = "g (float[1,4,8,8] x) => (float[1,4,8,8] y) { y = Softmax <axis = 1> (x) }"
    assert refusals(softmax, tmp_path) == {}
    xavier = refusals(softmax, tmp_path, target="jetson-agx-xavier", version="8.5")
    assert xavier == {"y": "is not supported with any form on Xavier"}


def test_types_and_sizes(tmp_path: Path) -> None:
    relu = "g (float[1,4,{0},8] x) => (float[1,4,{0},8] y) {{ y = Relu (x) }}"
    single = refusals(relu.format(8), tmp_path, precision="fp32")
    assert single == {"y": "computes in fp32, but the DLA only in fp16 and int8"}
    large = refusals(relu.format(9000), tmp_path)
    assert large == {"y": "is not supported with a dim of 9000, above 8192"}
    open_dims = refusals(relu.format("N"), tmp_path)
    assert open_dims == {"y": "has a dim that is not fixed, in 'x'"}
    integers = "g (int32[1,4,8,8] x) => (int32[1,4,8,8] y) { y = Abs (x) }"
    assert refusals(integers, tmp_path) == {"y": "reads int32, which the DLA does not compute with"}


def test_inspect_shows_it_where_it_is_asked_for(tmp_path: Path) -> None:
    file = save(HEAD + TUTORIAL, tmp_path / "m.onnx")
    asked = ("inspect", file, "-t", ORIN, "--runtime", "tensorrt==10.3", "--placement", "--json")
    assert json.loads(run_cli(*asked).stdout)["placement"] == {}
    (found,) = json.loads(run_cli(*asked, "--dla").stdout)["placement"].values()
    assert (found["accelerator"], found["fallback"]) == ("DLA", "GPU")
    assert (found["partitions"], found["most_partitions"]) == (2, 16)
    assert [each["op"] for each in found["left"]] == ["GlobalAveragePool", "Reshape"]


def test_no_time_is_given_for_the_dla(tmp_path: Path) -> None:
    model = read_model(save(HEAD + TUTORIAL, tmp_path / "m.onnx"))
    on_gpu = Deployment(find_target(ORIN), "tensorrt", "10.3", "fp16")
    assert latency_on_units(model, on_gpu) is not None
    assert latency_on_units(model, replace(on_gpu, dla=True)) is None
