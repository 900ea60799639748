"""docs/diff.md shows what the program prints, on pages that fit, and its JSON is the program's."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from rich.cells import cell_len

from modellint.report.earlier import is_report
from tests.diff.sample import BLOCK, DOCS, prepare, run
from tests.support import ROOT, CliResult, run_cli

SAMPLES = BLOCK.findall(DOCS.read_text(encoding="utf-8"))
SCHEMA = ROOT / "docs" / "schemas" / "diff.schema.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("diff")
    prepare(made)
    return made


def diff(folder: Path, *args: str) -> CliResult:
    return run_cli("diff", *args, "--isolated", cwd=folder)


@pytest.mark.parametrize(("command", "shown"), SAMPLES, ids=[command for command, _ in SAMPLES])
def test_samples_are_what_the_program_prints(command: str, shown: str, folder: Path) -> None:
    assert run(command, folder) == shown, "python -m tests.diff.sample writes it again"


@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_no_line_is_wider_than_the_page(
    columns: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for new in ("edited.onnx", "int8.onnx"):
        page = diff(folder, "convolutional.onnx", new, "-t", "a10").stdout
        assert max(map(cell_len, page.splitlines())) <= int(columns)
        assert not any(line != line.rstrip() for line in page.splitlines())


@pytest.mark.parametrize("new", ["edited.onnx", "int8.onnx", "convolutional.onnx"])
def test_json_follows_its_schema(new: str, folder: Path) -> None:
    schema: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    tables = {name: {**t, "additionalProperties": False} for name, t in schema["$defs"].items()}
    strict = {**schema, "additionalProperties": False, "$defs": tables}
    document = json.loads(diff(folder, "convolutional.onnx", new, "-o", "json").stdout)
    jsonschema.Draft202012Validator(strict).validate(document)
    assert is_report(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("new", "code"), [("edited.onnx", 1), ("int8.onnx", 0), ("convolutional.onnx", 0)]
)
def test_the_exit_code_says_whether_anything_breaks(new: str, code: int, folder: Path) -> None:
    result = diff(folder, "convolutional.onnx", new, "-o", "concise", "--fail-on", "never")
    assert result.exit_code == code
    assert is_report(result.stdout.encode())
    assert diff(folder, "convolutional.onnx", "nothing.onnx").exit_code == 2


def test_new_findings_fail_from_a_severity_on(folder: Path) -> None:
    args = "convolutional.onnx", "int8.onnx", "-o", "concise", "--select", "QNT"
    found = diff(folder, *args, "--fail-on", "info")
    assert ("new " in found.stdout) == (found.exit_code == 1)


def test_an_unreadable_file_is_one_sentence(folder: Path) -> None:
    (folder / "broken.onnx").write_bytes(b"\x08\x07\x3a\xff")
    result = diff(folder, "convolutional.onnx", "broken.onnx")
    assert result.exit_code == 1
    assert "unreadable" in io.StringIO(result.stdout).read()
