"""Placements on an NVIDIA GPU against what ONNX Runtime's provider for CUDA did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modellint.formats import read_model
from modellint.placement import UnitPlacement, placement
from modellint.targets import find_target
from modellint.targets.deployment import Deployment
from tests.exports import materialise
from tests.support import save

RECORDED = Path(__file__).parent.parent / "data" / "placement" / "onnxruntime-cuda-1.31.jsonl"
ANSWERS: list[dict[str, Any]] = [
    json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()[1:]
]

HEAD = '<ir_version: 8, opset_import: ["" : 17]>'
REPEATED = {"Concat", "Unsqueeze"}
"""Operators of which ONNX Runtime computes equal ones once."""


def placed(path: Path, target: str = "a10") -> UnitPlacement | None:
    return placement(read_model(path), Deployment(find_target(target), "onnxruntime"))


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer["file"])
def test_nodes_and_copies(answer: dict[str, Any], tmp_path: Path) -> None:
    found = placed(materialise(answer["file"].removesuffix(".onnx"), tmp_path))
    assert found is not None
    left = {node.name: node for node in found.nodes if found.refusal_of(node) is not None}
    assert left.keys() >= set(answer["left"])
    repeated = [left[name].op_type for name in left.keys() - set(answer["left"])]
    assert set(repeated) <= REPEATED
    assert len(found.boundaries) == answer["copies"]
    assert len(found.accelerated) == 1


def test_only_for_nvidia_gpus(tmp_path: Path) -> None:
    path = save(HEAD + "g (float[1,8] x) => (float[1,8] y) { y = Relu (x) }", tmp_path / "m.onnx")
    assert placed(path, "raspberry-pi-5") is None
    found = placed(path)
    assert found is not None
    assert (found.unit, found.version, found.is_whole) == ("GPU", "1.31", True)


@pytest.mark.parametrize(
    ("text", "reason", "parts", "copies"),
    [
        (
            "g (float[2,2] x) => (float y) { a = Relu (x) b = Det (a) y = Relu (b) }",
            "has no kernel for CUDA at opset 17",
            2,
            2,
        ),
        (
            "g (int32 x) => (float y) <float s = {2}> { a = DequantizeLinear (x, s) y = Abs (a) }",
            "has no kernel for CUDA that accepts int32, only int8, uint8",
            1,
            1,
        ),
        (
            """g (float[N,4] x) => (float[4,M] y, int64[2] t)
            <int64[1] four = {4}, int64 zero = {0}>
            {
                a = Relu (x)
                s = Shape (a)
                n = Gather (s, zero)
                o = Reshape (n, minus)
                t = Concat <axis = 0> (four, o)
                y = Reshape (a, t)
            }""",
            "reads only what the CPU has, such as shapes",
            1,
            0,
        ),
    ],
)
def test_reasons(text: str, reason: str, parts: int, copies: int, tmp_path: Path) -> None:
    text = text.replace("zero = {0}>", "zero = {0}, int64[1] minus = {-1}>")
    found = placed(save(HEAD + text, tmp_path / "m.onnx"))
    assert found is not None
    assert {refusal.words for refusal in found.refusals.values()} == {reason}
    assert (len(found.accelerated), len(found.boundaries)) == (parts, copies)


@pytest.mark.parametrize("nodes", ["h = Identity (h)", "h = Identity (i) i = Identity (h)"])
def test_nodes_that_read_their_own_outputs(nodes: str, tmp_path: Path) -> None:
    text = f"g (float[1,8] x) => (float[1,8] y) {{ {nodes} y = Relu (h) }}"
    assert placed(save(HEAD + text, tmp_path / "m.onnx")) is not None


def test_a_long_chain_of_removed_nodes(tmp_path: Path) -> None:
    chain = "".join(f"v{at + 1} = Identity (v{at}) " for at in range(2000))
    text = f"g (float[1,8] x) => (float[1,8] y) {{ v0 = Det (x) {chain} y = Relu (v2000) }}"
    assert placed(save(HEAD + text, tmp_path / "m.onnx")) is not None
