"""The verb: what it takes, what it prints, how it ends."""

from __future__ import annotations

import json
import pickle
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jsonschema
import pytest

from modellint import __version__
from modellint.inspector import look
from tests.exports import EXPORTS
from tests.inspect.support import ATTENTION, BRANCHES, FUNCTIONS, HEADER, NOTHING, inspect_json
from tests.support import EXAMPLES, ROOT, run_cli, run_process, save

SCHEMA = ROOT / "docs" / "schemas" / "inspect.schema.json"
RELU = HEADER + "relu (float[n, 8] x) => (float[n, 8] y) { y = Relu (x) }"


@cache
def validator() -> jsonschema.Draft202012Validator:
    """The schema without room for other fields: today's documents have none."""
    schema: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    tables = {
        name: {**part, "additionalProperties": False} for name, part in schema["$defs"].items()
    }
    return jsonschema.Draft202012Validator(
        {**schema, "additionalProperties": False, "$defs": tables}
    )


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(validator().schema)


@pytest.mark.parametrize(
    "args",
    [
        (EXPORTS / "resnet18.onnx",),
        (EXPORTS / "llama.onnx", "--target", "a10", "--quant", "--profile", "--batch", "2"),
        (EXPORTS / "lstm_tagger.onnx", "--target", "t4,hailo-8", "--precision", "int8"),
        (EXAMPLES / "not_pulled.onnx", "--target", "a10"),
        (EXAMPLES / "weights_left_behind.onnx",),
    ],
    ids=["plain", "everything", "several targets", "broken", "missing weights"],
)
def test_json_is_as_the_schema_says(args: tuple[str | Path, ...]) -> None:
    document = inspect_json(*args)
    validator().validate(document)
    assert (document["version"], document["modellint"]) == (1, __version__)


@pytest.mark.parametrize("text", [ATTENTION, BRANCHES, FUNCTIONS, NOTHING])
def test_odd_models_are_as_the_schema_says(text: str, tmp_path: Path) -> None:
    path = save(text, tmp_path / "model.onnx")
    validator().validate(inspect_json(path, "-t", "a10", "--quant", "--profile"))


def test_the_contract_of_memory() -> None:
    inspected = inspect_json(EXPORTS / "resnet50.onnx", "-t", "a10,t4", "--precision", "fp16")
    assert inspected["weight_bytes"]["float32"] > 1e8
    assert set(inspected["memory"]) == {"a10", "t4"}
    needs = inspected["memory"]["a10"]
    assert needs["weights"] < 6e7
    assert needs["activations"]["low"] <= needs["activations"]["high"]
    assert needs["total"]["low"] < needs["total"]["high"]
    assert needs["verdict"] == "fits"
    assert needs["largest_batch"] > 1


def test_several_models_are_one_object_a_line(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(RELU, tmp_path / f"{name}.onnx")
    result = run_cli("inspect", "--isolated", "--json", tmp_path)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [Path(line["path"]).name for line in lines] == ["a.onnx", "b.onnx"]


def test_a_broken_file_fails_the_run_and_the_others_are_shown(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"<html>Not found</html>")
    save(RELU, tmp_path / "b.onnx")
    result = run_cli("inspect", "--isolated", tmp_path / "a.onnx", tmp_path / "b.onnx")
    assert result.exit_code == 1
    assert "unreadable  Not a model file" in result.stdout
    assert "ops         Relu 1" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_a_pickle_of_anything_cannot_be_inspected(tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({"a": complex(1, 2)}))
    result = run_cli("inspect", "--isolated", tmp_path / "m.pkl")
    assert result.exit_code == 1
    assert "unreadable  The file is a Python pickle; loading it imports" in result.stdout


def test_a_missing_file_is_a_mistake_in_the_command_line(tmp_path: Path) -> None:
    result = run_cli("inspect", tmp_path / "none.onnx")
    assert result.exit_code == 2
    assert "no such file" in result.stderr


def test_a_folder_without_models_is_a_mistake(tmp_path: Path) -> None:
    result = run_cli("inspect", tmp_path, "-o", f"html:{tmp_path / 'page.html'}")
    assert result.exit_code == 2
    assert "no model files found" in result.stderr


def test_an_internal_error_is_reported_and_ends_with_3(tmp_path: Path) -> None:
    path = save(RELU, tmp_path / "model.onnx")
    with patch.object(look, "kv_cache", side_effect=RuntimeError):
        result = run_cli("inspect", "--isolated", path)
    assert result.exit_code == 3
    assert "modellint failed to compute blocks: RuntimeError" in result.stdout
    assert "ops         Relu 1" in result.stdout


def test_an_unknown_target_is_named_with_the_nearest() -> None:
    result = run_cli("inspect", "--isolated", EXPORTS / "resnet18.onnx", "-t", "a1O")
    assert result.exit_code == 2
    assert "a10" in result.stderr


def test_the_configuration_next_to_a_model_holds(tmp_path: Path) -> None:
    for folder, target in (("one", "a10"), ("two", "t4")):
        save(RELU, tmp_path / folder / "model.onnx")
        (tmp_path / folder / "modellint.toml").write_text(
            f'targets = ["{target}"]\nprecision = "fp16"\nbatch = 3\n'
        )
    result = run_cli("inspect", "--json", tmp_path)
    inspected = [json.loads(line) for line in result.stdout.splitlines()]
    assert [list(each["memory"]) for each in inspected] == [["a10"], ["t4"]]
    assert {
        each["memory"][t]["precision"] for each, t in zip(inspected, ("a10", "t4"), strict=True)
    } == {"fp16"}
    assert all(each["sizes"] == {"n": 3} and each["assumed"] == {} for each in inspected)
    over = run_cli("inspect", "--json", tmp_path / "one", "-t", "l4")
    assert list(json.loads(over.stdout)["memory"]) == ["l4"]


def test_a_group_of_devices_is_a_table(tmp_path: Path) -> None:
    path = save(RELU, tmp_path / "model.onnx")
    result = run_cli("inspect", "--isolated", path, "--target", "jetson")
    assert result.exit_code == 0
    assert "jetson-nano" in result.stdout
    assert "max batch" in result.stdout


def test_profiles_come_in_every_form() -> None:
    model = EXPORTS / "resnet18.onnx"
    shape = "pixel_values=1x3x224x224..4x3x224x224..8x3x224x224"
    result = run_cli("inspect", "--isolated", model, "--profile")
    assert "no size known" in result.stdout
    (name,) = inspect_json(model, "--profile")["profile_open"]
    shape = f"{name}=1x3x224x224..4x3x224x224..8x3x224x224"
    result = run_cli("inspect", "--isolated", model, "--profile", "--shape", shape)
    assert f"--minShapes={name}:1x3x224x224" in result.stdout
    inspected = inspect_json(model, "--profile", "--shape", shape)["profile"]
    assert inspected == {
        name: {"min": [1, 3, 224, 224], "opt": [4, 3, 224, 224], "max": [8, 3, 224, 224]}
    }


def test_json_is_plain_in_any_encoding(tmp_path: Path) -> None:
    path = save(RELU.replace("relu (", "names ("), tmp_path / "名前.onnx")
    result = run_process("inspect", "--isolated", "--json", path, env={"PYTHONIOENCODING": "ascii"})
    assert result.exit_code == 0, result
    assert json.loads(result.stdout)["path"].endswith("名前.onnx")


def test_help_names_what_it_shows() -> None:
    result = run_cli("inspect", "--help")
    for word in ("--target", "--quant", "--profile", "--json", "Deployment"):
        assert word in result.stdout
