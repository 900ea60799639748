"""The path of TensorRT itself, with recorded words: it needs a GPU, and this runs everywhere.

The child process, its code and all that reads its answer are the real ones; only the `tensorrt`
module is a stand-in (tests/probes/replay) that says what a builder was once heard to say.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modellint.formats import read_model
from modellint.probes import ProbeRequest, backends, probe
from modellint.probes.outcome import Outcome
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from modellint.targets.shapes import parse_shape
from tests.support import run_cli, save

STAND_IN = Path(__file__).parent / "replay"
MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
net (float[n,3,8,8] x, float[1,3] mask) => (float[n,3,8,8] y)
{
    [act] h = Relu (x)
    [nms] y = Sigmoid (h)
}
"""
BUILT = {
    "inputs": ["x", "mask"],
    "parsing": [
        ["INFO", "Opset version:    17"],
        [
            "WARNING",
            (
                "onnx2trt_utils.cpp:374: Your ONNX model has been generated with INT64 weights, "
                "while TensorRT does not natively support INT64. Attempting to cast down to "
                "INT32."
            ),
        ],
    ],
    "building": [
        ["WARNING", "Unused Input: mask"],
        ["VERBOSE", "Applying generic optimizations to the graph for inference."],
        ["INFO", "Total Host Persistent Memory: 304272"],
        ["INFO", "Max Scratch Memory: 4608 bytes"],
        ["INFO", "Total Activation Memory: 7225344 bytes"],
        ["INFO", "Total Weights Memory: 51041856 bytes"],
        [
            "VERBOSE",
            (
                "Engine Layer Information:\nLayer(PointWiseV2): PWN(act, nms), Tactic: "
                "0x0000000000000018, x (Float[-1,3,8,8]) -> y (Float[-1,3,8,8])"
            ),
        ],
        ["INFO", "Engine generation completed in 12.5 seconds."],
    ],
    "engine": 4096,
}
REFUSED = {
    "errors": [
        {"code": "UNSUPPORTED_NODE", "desc": "false", "node": 1, "name": "nms", "op": "Sigmoid"},
    ],
    "subgraphs": [[0]],
}
FAILED = {
    "inputs": ["x"],
    "building": [
        [
            "ERROR",
            (
                "IBuilder::buildSerializedNetwork: Error Code 10: Internal Error (Could not find "
                "any implementation for node act. In computeCosts at "
                "optimizer/common/tactic/optimizer.cpp:4048)"
            ),
        ],
    ],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model, and a machine that seems to have TensorRT and an A10."""
    save(MODEL, tmp_path / "net.onnx")
    monkeypatch.syspath_prepend(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(STAND_IN))
    monkeypatch.setenv("REPLAY", str(tmp_path / "said.json"))
    monkeypatch.setattr(backends, "gpu_capability", lambda: (8, 6))
    return tmp_path


def heard(folder: Path, said: dict[str, Any], **given: Any) -> tuple[Outcome, dict[str, Any]]:
    """The outcome, and what was asked of the builder."""
    (folder / "said.json").write_text(json.dumps(said), encoding="utf-8")
    shapes = {"x": parse_shape("1x3x8x8..4x3x8x8..8x3x8x8")}
    target = find_target(given.pop("target", "a10"))
    deployment = Deployment(target, "tensorrt", shapes=shapes, **given)
    request = ProbeRequest("tensorrt", workspace=1 << 30)
    outcome = probe(read_model(folder / "net.onnx"), deployment, request)
    return outcome, json.loads((folder / "said.done").read_text(encoding="utf-8"))


def test_a_build_with_profiles_flags_and_workspace(folder: Path) -> None:
    outcome, asked = heard(folder, BUILT, precision="fp16")
    assert (outcome.backend, outcome.version, outcome.status, outcome.level) == (
        "tensorrt",
        "10.9.0.34",
        "accepted",
        "build",
    )
    assert asked["flags"] == ["FP16"]
    assert asked["network_flags"] == 1  # explicit batch, and not strongly typed
    assert asked["limits"] == {"WORKSPACE": 1 << 30}
    assert asked["profiles"] == [{"x": [[1, 3, 8, 8], [4, 3, 8, 8], [8, 3, 8, 8]]}]
    assert outcome.figures.engine_bytes == 4096
    assert outcome.figures.activation_bytes == 7225344
    assert outcome.figures.weight_bytes == 51041856
    assert outcome.figures.scratch_bytes == 4608
    assert [each.kind for each in outcome.remarks] == ["int64-narrowed", "unused-input"]
    assert outcome.layers == (
        "PointWiseV2: PWN(act, nms) | x (Float[-1,3,8,8]) -> y (Float[-1,3,8,8])",
    )


def test_int8_is_only_asked_for_where_the_model_has_scales(folder: Path) -> None:
    assert heard(folder, BUILT, precision="int8")[1]["flags"] == ["FP16"]
    quantized = MODEL.replace(
        "[act] h = Relu (x)",
        "s = Constant <value_float = 0.05> () z = Constant <value = int8 {0}> () "
        "q = QuantizeLinear (x, s, z) d = DequantizeLinear (q, s, z) [act] h = Relu (d)",
    )
    save(quantized, folder / "net.onnx")
    assert heard(folder, BUILT, precision="int8")[1]["flags"] == ["INT8", "FP16"]


def test_types_are_the_models_when_no_precision_is_asked_for(folder: Path) -> None:
    _, asked = heard(folder, BUILT)
    assert asked["flags"] == []
    assert asked["network_flags"] == 3  # explicit batch, strongly typed


def test_fp32_means_no_tf32(folder: Path) -> None:
    assert heard(folder, BUILT, precision="fp32")[1]["cleared"] == ["TF32"]


def test_a_refused_node_and_what_is_left(folder: Path) -> None:
    outcome, _ = heard(folder, REFUSED)
    assert outcome.status == "refused"
    assert [(each.kind, each.node) for each in outcome.remarks] == [("no-importer", "nms")]
    assert (outcome.figures.nodes_taken, outcome.figures.subgraphs_taken) == (1, 1)


def test_a_failed_build_names_its_node(folder: Path) -> None:
    outcome, _ = heard(folder, FAILED)
    (remark,) = outcome.remarks
    assert (outcome.status, remark.kind) == ("refused", "build-failed")
    assert remark.text == "Could not find any implementation for node act"


def test_another_gpu_than_the_one_here_is_parsed_for_only(folder: Path) -> None:
    outcome, _ = heard(folder, BUILT, target="l4")
    assert (outcome.status, outcome.level) == ("accepted", "parse")
    assert "TensorRT builds for the GPU it runs on (8.6), not 8.9" in outcome.detail


def test_the_findings_are_tensorrts_own(folder: Path) -> None:
    (folder / "said.json").write_text(json.dumps(FAILED), encoding="utf-8")
    args = ("net.onnx", "-t", "a10", "--probe", "tensorrt", "--select", "TRT", "-o", "json")
    found = json.loads(run_cli(*args, "--shape", "x=1x3x8x8", cwd=folder).stdout)["findings"]
    (failure,) = [each for each in found if each["code"] == "TRT015"]
    assert failure["severity"] == "error"  # no runtime stands in for another
    assert failure["location"]["node"] == "act"
    assert "TensorRT 10.9.0.34 parses the model but cannot build an engine" in failure["message"]


def engine_file(folder: Path) -> Path:
    head = b"ftrt" + bytes(20) + bytes([10, 9, 0, 34])
    (folder / "net.engine").write_bytes(head.ljust(100, b"\0"))
    return folder / "net.engine"


def test_the_inspector_tells_an_engines_layers(folder: Path) -> None:
    tensor = {"Dimensions": [1, 3, 8, 8], "Format/Datatype": "Half"}
    fused = {
        "Name": "PWN(act, nms)",
        "LayerType": "PointWiseV2",
        "Inputs": [{"Name": "x", **tensor}],
        "Outputs": [{"Name": "y", **tensor}],
        "Metadata": "[ONNX Layer: act]\x1e[ONNX Layer: nms]",
    }
    said = {"layers": {"Layers": [fused], "Bindings": ["x", "y"]}}
    (folder / "said.json").write_text(json.dumps(said), encoding="utf-8")
    engine_file(folder)
    result = run_cli("probe", "net.onnx", "--layers", "net.engine", cwd=folder)
    assert result.exit_code == 0, result
    assert "2 nodes became 1 layer, 0 of them reformats" in result.stdout
    assert "2 nodes in PWN(act, nms)" in result.stdout


def test_an_engine_of_another_release_says_so(folder: Path) -> None:
    error = "IRuntime::deserializeCudaEngine: Error Code 1: Serialization (Serialization assertion stdVersionRead == kSERIALIZATION_VERSION failed.Version tag does not match.)"  # noqa: E501
    said = {"loading": [["ERROR", error]]}
    (folder / "said.json").write_text(json.dumps(said), encoding="utf-8")
    engine_file(folder)
    result = run_cli("probe", "net.onnx", "--layers", "net.engine", cwd=folder)
    assert result.exit_code == 2
    assert "Version tag does not match" in result.stderr
