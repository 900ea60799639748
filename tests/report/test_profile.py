"""Profiles as other tools take them."""

from __future__ import annotations

import ast
import json
from pathlib import Path

from modellint.formats import read_model
from modellint.inspector.look import input_bounds
from modellint.report.profile import FORMS, Profiles
from modellint.targets.deployment import Deployment
from modellint.targets.profiles import input_profiles
from modellint.targets.shapes import parse_shape

MODEL = """<ir_version: 8, opset_import: ["" : 17]>
main (float[batch,3,8,8] image, float[batch,tokens] mask) => (float[batch,3,8,8] y)
{ y = Relu (image) }"""


def profiles(tmp_path: Path) -> Profiles:
    path = tmp_path / "my model.onnxtxt"
    path.write_text(MODEL)
    shapes = {"image": parse_shape("1x3x8x8..4x3x8x8..8x3x8x8")}
    deployment = Deployment(shapes=shapes, symbols={"tokens": 16})
    return {p.value.name: input_bounds(p) for p in input_profiles(read_model(path), deployment)}


def test_a_symbol_carries_its_range_to_other_inputs(tmp_path: Path) -> None:
    assert profiles(tmp_path) == {
        "image": {"min": [1, 3, 8, 8], "opt": [4, 3, 8, 8], "max": [8, 3, 8, 8]},
        "mask": {"min": [1, 16], "opt": [4, 16], "max": [8, 16]},
    }


def test_trtexec(tmp_path: Path) -> None:
    text = FORMS["trtexec"](profiles(tmp_path), "my model.onnx")
    assert "'--onnx=my model.onnx'" in text
    assert "--minShapes=image:1x3x8x8,mask:1x16" in text
    assert "--maxShapes=image:8x3x8x8,mask:8x16" in text


def test_polygraphy(tmp_path: Path) -> None:
    text = FORMS["Polygraphy"](profiles(tmp_path), "m.onnx")
    assert "--trt-opt-shapes" in text
    assert "'image:[4, 3, 8, 8]'" in text


def test_python_forms_are_python(tmp_path: Path) -> None:
    known = profiles(tmp_path)
    assert "set_shape('mask', (1, 16), (4, 16), (8, 16))" in FORMS["TensorRT, Python"](known, "m")
    tree = ast.parse(FORMS["ONNX Runtime"](known, "m.onnx"))
    options = ast.literal_eval(tree.body[0].value)  # type: ignore[attr-defined]
    assert options["trt_profile_opt_shapes"] == "image:4x3x8x8,mask:4x16"
    json.dumps(options)
