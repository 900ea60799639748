"""Readiness of a float model: the findings, their cost, and an explanation for every point."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from modellint.analysis.quantization import Readiness, quantization_summary, spread, weights
from modellint.formats import read_model
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.exports import materialise
from tests.quantization.clean import clean
from tests.quantization.test_planted import findings, shown

INT8 = Deployment(find_target("a10"), runtime="tensorrt", precision="int8")
CHANNELS = 96


def network(*, normalized: bool = False, weight: Any = None) -> onnx.ModelProto:
    """Three convolutions in float, with Relu between."""
    random = np.random.default_rng(0)
    nodes, constants = [], {}
    value = "x"
    for index in range(3):
        name = f"conv{index}"
        shape = (CHANNELS, CHANNELS, 3, 3)
        array = random.normal(scale=0.05, size=shape).astype("f4")
        constants[f"{name}_w"] = array if weight is None or index != 1 else weight
        nodes.append(helper.make_node("Conv", [value, f"{name}_w"], [name], name, pads=[1] * 4))
        value = name
        if normalized:
            for part in ("scale", "shift", "mean", "var"):
                constants[f"bn{index}_{part}"] = np.full(CHANNELS, 1.0, "f4")
            parts = [f"bn{index}_{part}" for part in ("scale", "shift", "mean", "var")]
            nodes.append(
                helper.make_node(
                    "BatchNormalization", [value, *parts], [f"bn{index}"], f"bn{index}"
                )
            )
            value = f"bn{index}"
        nodes.append(helper.make_node("Relu", [value], [f"relu{index}"], f"relu{index}"))
        value = f"relu{index}"
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, CHANNELS, 16, 16))
        for name in ("x", value)
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        ends[:1],
        ends[1:],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def readiness(model: onnx.ModelProto, folder: Path) -> Readiness:
    path = folder / "model.onnx"
    onnx.save(model, path)
    return Readiness(read_model(path), INT8)


def test_nothing_to_say_of_a_ready_network(tmp_path: Path) -> None:
    ready = readiness(network(), tmp_path)
    assert ready.obstacles == []
    assert ready.score == 100
    assert not findings(network(), tmp_path, INT8)


def test_outlier_channel_is_named(tmp_path: Path) -> None:
    weight = np.random.default_rng(1).normal(scale=0.05, size=(CHANNELS, CHANNELS, 3, 3))
    weight[7] *= 40
    found = findings(network(weight=weight.astype("f4")), tmp_path, INT8)
    assert [one.code for one in found] == ["QNT304"], shown(found)
    evidence = found[0].evidence
    assert found[0].location.label == "conv1"
    assert evidence["channel"] == 7
    assert evidence["ratio"] == pytest.approx(40, rel=0.3)
    assert evidence["share"] == pytest.approx(1 / 3)
    assert "Channel 7 of Conv 'conv1'" in found[0].message


def test_weight_spike_is_named(tmp_path: Path) -> None:
    weight = np.random.default_rng(1).normal(scale=0.05, size=(CHANNELS, CHANNELS, 3, 3))
    weight = np.clip(weight, -0.1, 0.1)
    weight[:, 0, 0, 0] = 6.0  # in every channel alike, so that no channel stands out
    weight[11, 0, 0, 0] = 7.0
    found = findings(network(weight=weight.astype("f4")), tmp_path, INT8)
    assert [one.code for one in found] == ["QNT305"], shown(found)
    assert found[0].evidence["channel"] == 11
    assert found[0].location.label == "conv1"


def test_normalization_costs_until_it_is_folded(tmp_path: Path) -> None:
    ready = readiness(network(normalized=True), tmp_path)
    assert [obstacle.kind for obstacle in ready.obstacles] == ["unfolded"]
    assert ready.obstacles[0].share == pytest.approx(1)
    assert ready.score == 70
    found = findings(network(normalized=True), tmp_path, INT8)
    assert [(one.code, one.count) for one in found] == [("QNT301", 3)], shown(found)


@pytest.mark.parametrize("precision", [None, "fp16", "fp32"])
def test_low_bit_advice_needs_a_wish_for_it(precision: str | None, tmp_path: Path) -> None:
    deployment = Deployment(runtime="tensorrt", precision=precision)
    assert not findings(network(normalized=True), tmp_path, deployment)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "whisper_tiny_encoder", "swin_t"])
def test_every_point_is_explained(name: str, tmp_path: Path) -> None:
    model = read_model(materialise(name, tmp_path))
    summary = quantization_summary(model, INT8)
    points = [deduction.points for deduction in summary.deductions]
    assert summary.score == max(0, 100 - sum(points))
    assert points == sorted(points, reverse=True)
    assert summary.gains == summary.deductions[:3]
    for deduction in summary.deductions:
        assert deduction.points >= 1
        assert 0 <= deduction.share <= 1
        assert deduction.title
        assert deduction.remedy
        assert deduction.first in {node.label for node in model.nodes(functions=True)}
    json.dumps(summary.to_json())


def test_a_quantized_model_is_scored_by_what_is_left_out(tmp_path: Path) -> None:
    graph = clean()
    assert readiness(graph.model(), tmp_path).score == 100
    graph.drop("middle_dq", "middle_q")
    ready = readiness(graph.model(), tmp_path)
    (obstacle,) = ready.obstacles
    assert obstacle.kind == "activation-left-float"
    assert [node.name for node in obstacle.nodes] == ["second"]
    assert ready.score == 100 - round(100 * obstacle.share)


@pytest.mark.parametrize(
    ("op", "shape", "axis", "attributes"),
    [
        ("Conv", (6, 5, 3, 3), 0, {}),
        ("ConvTranspose", (5, 6, 3, 3), 1, {}),
        ("Gemm", (7, 6), 1, {}),
        ("Gemm", (6, 7), 0, {"transB": 1}),
        ("MatMul", (3, 7, 6), 2, {}),
    ],
)
@pytest.mark.parametrize("chunk", [1, 50, 1 << 22])
def test_spread_of_channels(
    op: str,
    shape: tuple[int, ...],
    axis: int,
    attributes: dict[str, Any],
    chunk: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Read in pieces of any size, it is what numpy says of the whole."""
    monkeypatch.setattr(weights, "_CHUNK", chunk)
    array = np.random.default_rng(3).normal(size=shape).astype("f4")
    graph = helper.make_graph(
        [helper.make_node(op, ["x", "w"], ["y"], "layer", **attributes)],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, "w")],
    )
    ready = readiness(helper.make_model(graph), tmp_path)
    measured = spread(ready.map.ops[0])
    assert measured is not None
    rows = np.abs(np.moveaxis(array, axis, 0).reshape(shape[axis], -1)).astype("f8")
    peaks = rows.max(axis=1)
    crests = peaks / np.sqrt((rows**2).mean(axis=1))
    assert measured.channels == shape[axis]
    assert measured.largest == peaks.argmax()
    assert measured.ratio == pytest.approx(peaks.max() / np.median(peaks), rel=1e-4)
    assert measured.spiky == crests.argmax()
    assert measured.crest == pytest.approx(crests.max(), rel=1e-4)
