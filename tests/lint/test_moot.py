"""Findings on the use of a model, where an error says that the runtime refuses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.samples import codes, project

REFUSED = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[batch,2] x) => (float[batch,2] y) <float[2,2] w = {1,2,3,4}>
{
    m = MatMul (x, w)
    y = Unheard (m)
}
"""
TAKEN = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[batch,2] x) => (float[batch,2] y) <float[2,2] w = {1,2,3,4}> { y = MatMul (x, w) }
"""
SELECTED = 'select = ["DYN003", "TRT024", "CMP004"]\n'
SUPPRESSED = "[[suppress]]\nrule = 'CMP004'\nreason = 'a plugin of ours'\n"


@pytest.mark.parametrize(
    ("configuration", "told"),
    [("", ["CMP004"]), (SUPPRESSED, ["DYN003", "TRT024"])],
)
def test_a_refusal_leaves_out_what_is_of_use_only_to_a_model_that_loads(
    tmp_path: Path, configuration: str, told: list[str]
) -> None:
    project(tmp_path, {"modellint.toml": SELECTED + configuration, "m.onnx": REFUSED})
    assert sorted(codes("--runtime", "tensorrt", "m.onnx", cwd=tmp_path)) == told


def test_a_model_that_loads_keeps_all(tmp_path: Path) -> None:
    project(tmp_path, {"modellint.toml": SELECTED, "m.onnx": TAKEN})
    assert sorted(codes("--runtime", "tensorrt", "m.onnx", cwd=tmp_path)) == ["DYN003", "TRT024"]


def test_what_an_accepted_refusal_hides_is_new_once_it_is_repaired(tmp_path: Path) -> None:
    project(tmp_path, {"modellint.toml": SELECTED, "m.onnx": REFUSED})
    command = ("--runtime", "tensorrt", "m.onnx", "--baseline", "known.json")
    codes(*command, "--write-baseline", cwd=tmp_path)
    assert codes(*command, cwd=tmp_path) == []
    project(tmp_path, {"m.onnx": TAKEN})
    assert sorted(codes(*command, cwd=tmp_path)) == ["DYN003", "TRT024"]
