"""Models on a hub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from modellint.formats.safetensors.notation import encode
from tests.remote.hub import COMMIT, TOKEN, hub
from tests.remote.servers import Web
from tests.samples import failed, lint_json
from tests.support import run_cli

SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    weights = {name: f"w{at} F32 [64, 64]" for at, name in enumerate(SHARDS)}
    for name, text in weights.items():
        (folder / name).write_bytes(encode(text))
    index = {"weight_map": {f"w{at}": name for at, name in enumerate(SHARDS)}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (folder / "README.md").write_text("# A model")
    (folder / "modellint.toml").write_text('select = ["nothing of yours"]')
    (folder / "onnx").mkdir()
    (folder / "onnx/empty.onnx").touch()
    return folder


@pytest.fixture
def web(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    with hub(repository) as web:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{web.port}")
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield web


def test_a_repository_is_linted_as_its_folder(web: Web, repository: Path, tmp_path: Path) -> None:
    there = lint_json("check", "hf://org/model", "--no-cache", cwd=tmp_path)
    here = lint_json("check", repository, "--no-weights", "--isolated", cwd=tmp_path)
    assert [each["path"] for each in there["models"]] == [
        "hf://org/model",
        "hf://org/model/onnx/empty.onnx",
    ]
    for one, other in zip(there["models"], here["models"], strict=True):
        assert {**one, "path": ""} == {**other, "path": ""}
    assert [each["code"] for each in there["findings"]] == [
        each["code"] for each in here["findings"]
    ]
    resolved = [each for each in web.asked if "/resolve/" in each]
    assert resolved
    assert all(COMMIT in each for each in resolved)
    assert not any("README" in each or "modellint.toml" in each for each in web.asked)


def test_a_part_that_cannot_be_fetched_costs_one_finding(web: Web, tmp_path: Path) -> None:
    args = ("--max-fetch", "10kB", "--ignore", "FIL002", "--no-cache")
    report = lint_json("check", "hf://org/model", *args, cwd=tmp_path)
    assert [each["code"] for each in report["findings"]] == ["FIL011"]
    assert "that --max-fetch allows" in report["findings"][0]["message"]


def test_the_token_goes_to_the_hub_alone(web: Web, tmp_path: Path) -> None:
    result = run_cli("check", f"hf://org/model@v1/{SHARDS[0]}", "-v", cwd=tmp_path)
    elsewhere = [each for each in web.asked if "/elsewhere/" in each]
    assert elsewhere
    assert len(web.secrets) == len(web.asked) - len(elsewhere)
    assert TOKEN not in str(result)
    assert "5ecre7" not in str(result)


def test_what_a_hub_refuses(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed(run_cli("check", "hf://org/other", cwd=tmp_path), "no such model or revision")
    failed(run_cli("check", "hf://org", cwd=tmp_path), "hf://OWNER/MODEL")
    monkeypatch.setenv("HF_TOKEN", "another")
    failed(run_cli("check", "hf://org/model", cwd=tmp_path), "denies access")
