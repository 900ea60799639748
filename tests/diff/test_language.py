"""Language models are compared by what they state and by the roles of their tensors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.diff.language_models import LAYERS, convert, save_folder, weights
from tests.support import CliResult, run_cli


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_folder(tmp_path_factory.mktemp("language") / "float", weights())


def told(old: Path, new: Path) -> dict[str, Any]:
    shown = run_cli("diff", old, new, "--output", "json", "--isolated", "--fail-on", "never")
    assert shown.exit_code == 0, shown
    language: dict[str, Any] = json.loads(shown.stdout)["language"]
    return language


def test_a_quantized_conversion(folder: Path, tmp_path: Path) -> None:
    language = told(folder, convert(tmp_path / "model.gguf", weights(), "Q8_0"))
    rows = {each["tensors"]: each for each in language["tensors"]}
    queries = rows["blk.*.attn_q.weight"]
    assert (queries["count"], queries["change"]) == (LAYERS, "converted")
    assert (queries["types"], queries["form"]) == (["float32", "Q8_0"], "permuted")
    assert 0 < queries["largest"] < 0.01
    assert rows["blk.*.attn_norm.weight"]["change"] == "same"
    parts = {part["name"]: part for part in language["parts"]}
    assert parts["attention"]["bits"] == [32.0, pytest.approx(8.5)]
    assert parts["attention"]["types"] == [["float32"], ["Q8_0"]]


def test_another_architecture(folder: Path, tmp_path: Path) -> None:
    fewer = {name: each for name, each in weights().items() if "layers.1." not in name}
    new = save_folder(tmp_path / "fewer", fewer, num_hidden_layers=1, rope_theta=5e5, vocab_size=99)
    language = told(folder, new)
    stated = {each["name"]: (each["old"], each["new"]) for each in language["statements"]}
    assert stated["layers"] == ("2", "1")
    assert stated["vocabulary"] == ("128", "99")
    assert stated["rotary base"] == ("10000", "500000")
    gone = {each["change"] for each in language["tensors"] if "layers.1." in each["tensors"]}
    assert gone == {"removed"}
    old, cached = language["cache_per_token"]
    assert old == 2 * cached


def test_a_model_and_itself(folder: Path) -> None:
    language = told(folder, folder)
    assert language["statements"] == []
    assert {each["change"] for each in language["tensors"]} == {"same"}


def shown(*arguments: str | Path) -> CliResult:
    return run_cli("diff", *arguments, "--isolated", "--fail-on", "never")


def test_the_page(folder: Path, tmp_path: Path) -> None:
    tuned = weights()
    tuned["model.layers.0.mlp.up_proj.weight"] *= 1.5
    page = shown(folder, save_folder(tmp_path / "tuned", tuned)).stdout
    assert "1 tensor changed" in page
    assert "50%" in page
    assert "20 tensors unchanged" in page
