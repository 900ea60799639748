"""Models of two folders are paired by path, and where renamed, by content."""

from __future__ import annotations

from pathlib import Path

from modellint.differ.pairing import ModelFile, pair_models
from tests.support import model_from_text, save

LINE = """<ir_version: 9, opset_import: ["" : 18]>
line (float[1,{width}] x) => (float[1,{width}] y)
<float[{width},{width}] w> {{ {steps} }}"""


def line(folder: Path, name: str, width: int, *operators: str) -> ModelFile:
    steps = ["h0 = MatMul (x, w)"]
    steps += [f"h{at} = {op} (h{at - 1})" for at, op in enumerate(operators, 1)]
    text = "\n".join([*steps, f"y = Identity (h{len(operators)})"])
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return ModelFile(name, save(model_from_text(LINE.format(width=width, steps=text)), path))


def test_models_are_paired_by_path_then_by_content(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    relus = ["Relu"] * 8
    before = [
        line(old, "kept.onnx", 2, "Relu"),
        line(old, "a/renamed.onnx", 3, *relus, "Abs"),
        line(old, "gone.onnx", 4, "Sin", "Cos"),
        line(old, "twin_1.onnx", 5, "Neg"),
        line(old, "twin_2.onnx", 5, "Neg"),
    ]
    after = [
        line(new, "kept.onnx", 9, "Tanh"),
        line(new, "b/other.onnx", 3, *relus, "Neg"),
        line(new, "more.onnx", 6, "Exp", "Log", "Sqrt"),
        line(new, "v2/twin_2.onnx", 5, "Neg"),
        line(new, "v2/twin_1.onnx", 5, "Neg"),
    ]
    pairs = pair_models(before, after)
    assert [(p.old and p.old.name, p.new and p.new.name) for p in pairs] == [
        ("a/renamed.onnx", "b/other.onnx"),
        ("gone.onnx", None),
        ("kept.onnx", "kept.onnx"),
        (None, "more.onnx"),
        ("twin_1.onnx", "v2/twin_1.onnx"),
        ("twin_2.onnx", "v2/twin_2.onnx"),
    ]
    assert [pair.is_renamed for pair in pairs] == [True, False, False, False, True, True]


def test_files_that_cannot_be_read_are_paired_by_path_only(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.onnx", "b.onnx")]
    for file in files:
        file.write_bytes(b"broken")
    pairs = pair_models([ModelFile("a.onnx", files[0])], [ModelFile("b.onnx", files[1])])
    assert [(pair.old is None, pair.new is None) for pair in pairs] == [
        (False, True),
        (True, False),
    ]
