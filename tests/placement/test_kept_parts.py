"""Delegates that take one part only of a TFLite file, and runtimes that load no other files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modellint.formats import read_model
from modellint.formats.tflite.notation import encode
from modellint.placement import placement
from modellint.targets.deployment import Deployment
from tests.support import run_cli, save

TEXT = """
main (x) => (y)
x int8[1,4] *0.5
a int8[1,4] *0.5
b int8[1,4] *0.5
c int8[1,4] *0.5
y int8[1,4] *0.5
RELU (x) => (a)
CEIL (a) => (b)
RELU (b) => (c)
RELU (c) => (y)
"""
MANY = 1_500
"""Steps that are too many for a call within each."""


@pytest.mark.parametrize(
    ("runtime", "taken", "words"),
    [
        ("edgetpu", [0], "is not in the first part, the only one that is used"),
        ("tflite-gpu", [2, 3], "is not in the largest part of 2 nodes"),
    ],
)
def test_one_part_is_taken(runtime: str, taken: list[int], words: str, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(encode(TEXT))
    found = placement(read_model(path), Deployment(runtime=runtime))
    assert found is not None
    (part,) = found.accelerated
    assert [node.index for node in part.nodes] == taken
    assert any(words in refusal.words for refusal in found.refusals.values())


@pytest.mark.parametrize(
    ("stored", "nodes"),
    [("w float16[4] = 0", [MANY]), ("w float16[4]", [*range(MANY + 1)])],
)
def test_constants_are_widened_in_any_number_of_steps(
    stored: str, nodes: list[int], tmp_path: Path
) -> None:
    values = [f"v{at} float32[4]" for at in range(MANY)]
    steps = [f"DEQUANTIZE (v{at}) => (v{at + 1})" for at in range(MANY - 1)]
    ends = ["DEQUANTIZE (w) => (v0)", *steps, f"ADD (x, v{MANY - 1}) => (y)"]
    lines = ["main (x, w) => (y)", "x float32[4]", "y float32[4]", stored, *values, *ends]
    path = tmp_path / "model.tflite"
    path.write_bytes(encode("\n".join(lines)))
    found = placement(read_model(path), Deployment(runtime="tflite-gpu"))
    assert found is not None
    assert [node.index for node in found.nodes] == nodes


def test_a_runtime_of_other_files_says_which_it_loads(tmp_path: Path) -> None:
    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[4] x) => (float[4] y) {y = Relu (x)}'
    file = save(text, tmp_path / "m.onnx")
    asked = ("inspect", file, "-t", "coral-dev-board", "--placement")
    told = json.loads(run_cli(*asked, "--json").stdout)
    assert told["placement"] == {}
    assert told["not_placed"]["coral-dev-board"].startswith("Edge TPU loads TFLite files")
    assert "No placement on coral-dev-board: Edge TPU loads" in run_cli(*asked).stdout
