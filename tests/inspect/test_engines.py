"""Engines, and exports of their layers: what `inspect` shows of them.

TensorRT itself needs a GPU; where its inspector is asked, a stand-in (tests/probes/replay) answers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modellint.base.install import install_command
from tests.inspect.support import inspect_json
from tests.inspect.test_command import validator
from tests.probes.test_engines import EXPORT, SOURCE, engine
from tests.probes.test_tensorrt_replay import STAND_IN
from tests.runtimes import TENSORRT_RTX
from tests.support import ROOT, run_cli, save


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "layers.json").write_text(json.dumps(EXPORT))
    (tmp_path / "net.onnxtxt").write_text(SOURCE)
    (tmp_path / "net.engine").write_bytes(engine())
    return tmp_path


def with_tensorrt(folder: Path, monkeypatch: pytest.MonkeyPatch, **said: Any) -> None:
    """As if TensorRT were here, and said that of the engine."""
    monkeypatch.syspath_prepend(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(STAND_IN))
    monkeypatch.setenv("REPLAY", str(folder / "said.json"))
    (folder / "said.json").write_text(json.dumps(said))


def test_an_export_by_itself(folder: Path) -> None:
    inspected = inspect_json(folder / "layers.json")
    validator().validate(inspected)
    assert inspected["format"] == "tensorrt-layers"
    assert inspected["engine"]["kinds"] == {
        "CaskConvolution": 3,
        "Reformat": 2,
        "PointWise": 1,
        "Reduce": 1,
        "ElementWise": 1,
    }
    assert inspected["engine"]["types"] == {"float16": 4, "int8": 2}
    assert inspected["engine"]["bottlenecks"] == [{"layer": "c2", "type": "float16"}]
    assert inspected["engine"]["zones"] == [{"first": "s1", "last": "a1", "layers": 3}]
    assert inspected["engine"]["became"] is None
    assert inspected["engine"]["layers"][1] == {
        "name": "c1 + r1",
        "kind": "CaskConvolution",
        "type": "int8",
        "reformat": False,
        "nodes": ["c1", "r1"],
    }
    # No figure that only a model's own nodes could give.
    unknown = ("parameters", "macs", "weight_bytes", "memory", "anywhere", "quantization")
    assert {inspected[name] for name in unknown} == {None}


def test_a_model_next_to_its_engine(folder: Path) -> None:
    inspected = inspect_json(
        folder / "net.onnxtxt", "--layers", folder / "layers.json", "-t", "a10"
    )
    validator().validate(inspected)
    assert inspected["engine"]["became"] == {
        "nodes": 14,
        "placed": 7,
        "gone": {"DequantizeLinear": 4, "QuantizeLinear": 3},
        "left_float": [{"node": "c2", "type": "float16"}],
        "unknown": [],
    }
    assert inspected["nodes"] == 14
    assert inspected["memory"]["a10"]["verdict"] == "fits"


def test_the_page_says_what_the_probe_verb_says(folder: Path) -> None:
    args = ("net.onnxtxt", "--layers", "layers.json")
    page = run_cli("inspect", "--isolated", *args, cwd=folder).stdout
    beside = run_cli("probe", *args, cwd=folder).stdout
    facts = [line.split() for line in beside.splitlines()[2:]]
    assert ["bottleneck", "c2", "runs"] in [words[:3] for words in facts]
    words = page.split()
    for fact in facts:
        assert any(words[at : at + len(fact)] == fact for at in range(len(words))), fact


@pytest.mark.parametrize(("verb", "page"), [("inspect", "inspect.md"), ("probe", "probes.md")])
def test_the_pages_show_what_is_printed(verb: str, page: str, folder: Path) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    _, _, after = text.partition(f"$ modellint {verb} model.onnx --layers layers.json\n")
    shown = after.partition("```")[0].splitlines()
    printed = run_cli(verb, "--isolated", "net.onnxtxt", "--layers", "layers.json", cwd=folder)
    said = printed.stdout.replace("net.onnxtxt", "model.onnx").splitlines()
    assert shown
    assert [line for line in shown if line not in said] == []


def test_verbose_lists_each_layer(folder: Path) -> None:
    page = run_cli("inspect", "--isolated", "-v", "layers.json", cwd=folder).stdout
    (line,) = [line.split() for line in page.splitlines() if "c1, r1" in line]
    assert line == ["CaskConvolution", "int8", "c1", "+", "r1", "c1,", "r1"]


@pytest.mark.parametrize("key", ["Datatype", "DataType"])
def test_an_export_since_tensorrt_11(key: str, tmp_path: Path) -> None:
    ports = [{"Name": name, "DataType": "Float", "Dimensions": [1, 8, 8, 8]} for name in "xy"]
    renamed = json.loads(json.dumps(EXPORT["Layers"]).replace("Format/Datatype", key))
    (tmp_path / "layers.json").write_text(json.dumps({"I/O Tensors": ports, "Layers": renamed}))
    inspected = inspect_json(tmp_path / "layers.json")
    assert [port["name"] for port in inspected["inputs"] + inspected["outputs"]] == ["x", "y"]
    assert inspected["engine"]["types"] == {"float16": 4, "int8": 2}


def test_names_alone_say_how_to_keep_more(tmp_path: Path) -> None:
    (tmp_path / "layers.json").write_text(json.dumps({"Layers": ["c1 + r1", "c2"]}))
    page = run_cli("inspect", "--isolated", "layers.json", cwd=tmp_path).stdout
    assert "2 layers, 0 of them reformats" in page
    assert "--profilingVerbosity=detailed" in page
    assert inspect_json(tmp_path / "layers.json")["engine"]["kinds"] == {}


def test_an_engine_whose_runtime_is_not_here(folder: Path) -> None:
    inspected = inspect_json(folder / "net.engine")
    validator().validate(inspected)
    (problem,) = inspected["problems"]
    assert (problem["kind"], problem["fatal"]) == ("layers", False)
    assert install_command("trt") in problem["message"]
    assert (inspected["identity"]["producer"], inspected["engine"]) == ("TensorRT 10.3.0", None)


def test_an_engine_with_what_was_exported_of_it(folder: Path) -> None:
    inspected = inspect_json(folder / "net.engine", "--layers", folder / "layers.json")
    assert (inspected["problems"], len(inspected["engine"]["layers"])) == ([], 8)
    assert inspected["identity"]["producer"] == "TensorRT 10.3.0"


def test_the_inspector_tells_an_engines_layers(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the stand-in."""
    with_tensorrt(folder, monkeypatch, layers=EXPORT)
    inspected = inspect_json(folder / "net.engine")
    validator().validate(inspected)
    assert inspected["problems"] == []
    assert inspected["engine"] == inspect_json(folder / "layers.json")["engine"]
    assert inspected["format"] == "tensorrt-engine"
    assert [port["name"] for port in inspected["inputs"]] == ["x"]
    beside = inspect_json(folder / "net.onnxtxt", "--layers", folder / "net.engine")
    assert beside["engine"]["became"]["placed"] == 7


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"layers": {"nothing": 1}}, "does not report the layers"),
        ({"loading": [["ERROR", "Version tag does not match."]]}, "Version tag does not match"),
    ],
)
def test_an_inspector_that_tells_nothing(
    said: dict[str, Any], reason: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the stand-in: the header is shown all the same."""
    with_tensorrt(folder, monkeypatch, **said)
    result = run_cli("inspect", "--isolated", "net.engine", cwd=folder)
    assert result.exit_code == 0
    assert reason in " ".join(result.stdout.split())
    assert "TensorRT 10.3.0" in result.stdout


@pytest.mark.skipif(TENSORRT_RTX.module is None, reason=TENSORRT_RTX.install)
def test_an_engine_just_built(tmp_path: Path) -> None:
    """By TensorRT for RTX itself, which tells an engine's layers where there is a GPU."""
    save(
        '<ir_version: 10, opset_import: ["" : 21]> '
        "good (float[1, 8] x) => (float[1, 8] y) { y = Relu (x) }",
        tmp_path / "good.onnx",
    )
    run_cli("probe", "good.onnx", "-t", "a10", "--save-engine", ".", cwd=tmp_path)
    inspected = inspect_json(tmp_path / "good.a10.engine")
    validator().validate(inspected)
    assert inspected["identity"]["producer"] == f"TensorRT for RTX {TENSORRT_RTX.version}"
    assert inspected["engine"] is not None or inspected["problems"][0]["kind"] == "layers"


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("none.json", "no such file"),
        ("csv", "'-o csv:FILE' writes a table of all layers"),
        ("net.onnxtxt", "contains no engine layers"),
    ],
)
def test_what_holds_no_layers_is_a_mistake(file: str, words: str, folder: Path) -> None:
    result = run_cli("inspect", "--isolated", "net.onnxtxt", "--layers", file, cwd=folder)
    assert result.exit_code == 2
    assert words in result.stderr


def test_hostile_names_print_no_control_characters(tmp_path: Path) -> None:
    hostile = {"Name": "[red]a\x1b[31m\r\nb", "LayerType": "Point\x1b[0mWise", "Metadata": ""}
    (tmp_path / "layers.json").write_text(json.dumps({"Layers": [hostile]}))
    page = run_cli("inspect", "--isolated", "-v", "layers.json", cwd=tmp_path).stdout
    assert "[red]a" in page
    assert "\x1b" not in page
    assert "\r" not in page
