"""Rockchip's toolkit places nodes of real models as is predicted."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.formats import read_model
from modellint.placement import placement
from modellint.runtimes.rknn import CHIPS, USUAL
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.exports import materialise
from tests.oracles.support import ask
from tests.support import save

BATCH = {"batch": 1}
ARCHITECTURES = (
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "mnasnet1_0",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "regnet_y_400mf",
    "resnet18",
    "shufflenet_v2_x1_0",
    "squeezenet1_0",
    "unet",
)
COUNTED = """
<ir_version: 8, opset_import: ["" : 17]>
m (float[1,8] x, int64[1,8] i) => (float[1,8] y) <int64 axis = {1}>
{
    a = Relu (x)
    counted = CumSum (i, axis)
    kept = Mul (counted, i)
    places = Cast <to = 1> (kept)
    y = Add (a, places)
}
"""
ATTENTION = """
<ir_version: 8, opset_import: ["" : 17]>
m (float[1,ROWS,8] x, float[8,8] w) => (float[1,ROWS,8] y)
<int64[4] heads = {1, ROWS, 1, 8}, int64[3] joined = {1, ROWS, 8}>
{
    a = Relu (x)
    v = MatMul (a, w)
    split = Reshape (v, heads)
    values = Transpose <perm = [0, 2, 1, 3]> (split)
    keys = Transpose <perm = [0, 2, 3, 1]> (split)
    scores = MatMul (values, keys)
    weights = Softmax <axis = -1> (scores)
    found = MatMul (weights, values)
    back = Transpose <perm = [0, 2, 1, 3]> (found)
    flat = Reshape (back, joined)
    y = Add (flat, x)
}
"""


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_npu_runs_all_of_a_convolutional_network(name: str, tmp_path: Path) -> None:
    path = materialise(name, tmp_path, random=True)  # zeros would be folded into constants
    answer = ask("rknn", path, chip=CHIPS[USUAL], symbols=BATCH)
    found = placement(read_model(path), Deployment(runtime="rknn", symbols=BATCH))
    assert found is not None
    assert answer["status"] == "accepted", answer["remarks"]
    moved = {"Reshape", "Transpose", "Cast"}
    left = [op for _, op in answer["left"] if op not in moved]
    assert not left
    assert found.is_whole
    assert answer["figures"]["cycles"] > 0
    assert answer["figures"]["moved_bytes"] > 0


@pytest.mark.parametrize("target", ["rk3588", "rk3566"])
@pytest.mark.parametrize("text", [COUNTED, ATTENTION.replace("ROWS", "16")])
def test_parts(text: str, target: str, tmp_path: Path) -> None:
    path = save(text, tmp_path / "model.onnx")
    answer = ask("rknn", path, chip=CHIPS[target])
    found = placement(read_model(path), Deployment(find_target(target), "rknn"))
    assert found is not None
    assert len(found.accelerated) == len(answer["partitions"])
