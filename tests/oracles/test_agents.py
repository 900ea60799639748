"""Clients that others wrote talk to the servers for editors and agents."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.oracles.support import ENVIRONMENTS
from tests.samples import INFO, project
from tests.support import PATIENCE

PYTHON = ENVIRONMENTS / "clients" / "bin" / "python"
pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason="needs clients: python -m tests.oracles.prepare"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return project(tmp_path / "served", {"info.onnx": INFO})


def conversation(client: str, *arguments: str | Path) -> dict[str, Any]:
    script = Path(__file__).with_name(client)
    done = subprocess.run(
        [str(PYTHON), str(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    answered: dict[str, Any] = json.loads(done.stdout)
    return answered


SERVER = (sys.executable, "-m", "modellint")


@pytest.mark.parametrize(("mode", "version"), [("auto", "2026-07-28"), ("legacy", "2025-11-25")])
def test_an_agent(folder: Path, mode: str, version: str) -> None:
    said = conversation("agent_client.py", mode, *SERVER, "mcp", folder)
    assert said["version"] == version
    assert said["server"] == "modellint"
    assert said["tools"] == ["check", "inspect", "explain_rule", "list_targets"]
    assert said["errors"] == [False, True, False, False, False]
    assert {each["code"] for each in said["data"][0]["findings"]} >= {"HYG005"}
    assert json.loads(said["texts"][0]) == said["data"][0]
    assert "contains '..'" in said["texts"][1]


def test_an_editor(folder: Path) -> None:
    said = conversation("editor_client.py", folder, *SERVER, "lsp")
    assert said["server"] == "modellint"
    assert said["registered"] == ["workspace/didChangeWatchedFiles"]
    assert said["mistake"] == ["batch: 0 is less than 1", 1]
    assert "24 GiB" in said["documentation"]
    assert "24 GiB" in said["hover"]
    assert "HYG005" in said["codes"]
    assert said["page"].startswith("<!doctype html>")
