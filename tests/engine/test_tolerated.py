"""Models that the standard forbids and ONNX Runtime loads are an error only where refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.samples import lint_json
from tests.support import save

EQUAL_CONSTANTS = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[2] x) => (float[2] y)
{
    c = Constant <value = float[2] {1.0, 2.0}> ()
    c = Constant <value = float[2] {1.0, 2.0}> ()
    y = Add (x, c)
}
"""
EQUAL_INITIALIZERS = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[2] x) => (float[2] y) <float[2] w = {1.0, 2.0}, float[2] w = {3.0, 4.0}>
{ y = Add (x, w) }
"""
EQUAL_RESULTS = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[2] x) => (float[2] y) { c = Relu (x) c = Neg (x) y = Add (x, c) }
"""
UNIMPORTED = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[2] x) => (float[2] y) { y = com.microsoft.Gelu (x) }
"""
REMOVED = """
<ir_version: 8, opset_import: ["" : 11]>
main (float[4,4] x, int64[1,1] i, float[1,1] u) => (float[4,4] y) { y = Scatter (x, i, u) }
"""
CASES = {
    "VAL007": (EQUAL_CONSTANTS, "error", "warning"),
    "VAL001": (EQUAL_INITIALIZERS, "error", "warning"),
    "VAL002": (EQUAL_RESULTS, "error", "error"),
    "CMP003": (UNIMPORTED, "error", "warning"),
    "CMP005": (REMOVED, "warning", "error"),
}
"""By rule: a model, and its severity by the standard, and for ONNX Runtime."""


def severities(path: Path, *args: str) -> dict[str, str]:
    found = lint_json(path, *args)["findings"]
    return {each["code"]: each["severity"] for each in found}


@pytest.mark.parametrize("code", CASES)
def test_severity_is_what_the_runtime_makes_of_it(code: str, tmp_path: Path) -> None:
    model, by_standard, on_onnxruntime = CASES[code]
    path = save(model, tmp_path / "model.onnx")
    assert severities(path)[code] == by_standard
    assert severities(path, "--runtime", "onnxruntime")[code] == on_onnxruntime


@pytest.mark.parametrize("code", ["VAL007", "VAL001", "CMP003"])
def test_openvino_loads_them_too(code: str, tmp_path: Path) -> None:
    path = save(CASES[code][0], tmp_path / "model.onnx")
    assert severities(path, "--runtime", "openvino")[code] == "warning"


def test_a_duplicate_is_one_finding(tmp_path: Path) -> None:
    path = save(EQUAL_RESULTS, tmp_path / "model.onnx")
    assert "HYG002" not in severities(path)
