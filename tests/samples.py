"""Small models of which it is known what is found in them, and folders of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support import CliResult, run_cli, save

GOOD = """
<ir_version: 10, opset_import: ["" : 21]>
good (float[1, 8] x) => (float[1, 8] y) { [act] y = Relu (x) }
"""
INFO = """
<ir_version: 10, opset_import: ["" : 21]>
info (float[1, 8] x) => (float[1, 8] y)
{
    [drop] a = Dropout (x)
    [act] y = Relu (a)
}
"""
"""HYG005 at 'drop', an info."""
WARNING = """
<ir_version: 10, opset_import: ["" : 21]>
warning (float[1, 8] x) => (float[1, 8] y)
{
    [act] y = Relu (x)
    [dead] z = Sigmoid (x)
}
"""
"""HYG002 at 'dead', a warning."""
ERROR = """
<ir_version: 10, opset_import: ["" : 21]>
error (float[1, 8] x) => (float[1, 8] y)
{
    [act] y = Relu (missing)
}
"""
"""VAL003, an error."""

RULES = ("--select", "HYG005,HYG002,VAL003,file,SUP")
"""So that a rule written tomorrow changes no test of today."""


def lint_json(*args: str | Path, cwd: Path | None = None) -> dict[str, Any]:
    """Return a run's findings as JSON, with its exit code under "exit"."""
    result = run_cli(*args, "--output", "json", cwd=cwd)
    assert result.stdout, result
    document: dict[str, Any] = json.loads(result.stdout)
    return {**document, "exit": result.exit_code, "stderr": result.stderr}


def codes(*args: str | Path, cwd: Path | None = None, suppressed: bool = False) -> list[str]:
    """The codes of what a run found, in order."""
    found = lint_json(*args, cwd=cwd)["findings"]
    return [each["code"] for each in found if (each["suppressed"] is not None) == suppressed]


def project(folder: Path, files: Mapping[str, str]) -> Path:
    """A folder with these files; those with a model's suffix are written as models."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".onnx":
            save(text, path)
        else:
            path.write_text(text, encoding="utf-8")
    return folder


def install(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test and its children import what is in a folder, and nothing of that name from one
    of an earlier test."""
    for path in site.iterdir():
        monkeypatch.delitem(sys.modules, path.stem, raising=False)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))


def failed(result: CliResult, *parts: str, code: int = 2) -> None:
    """The run ended as a mistake of the user, and said these things."""
    assert result.exit_code == code, result
    assert "Traceback" not in result.stderr, result
    for part in parts:
        assert part in result.stderr, result
