"""Standard streams that are closed, full, or that someone stopped reading."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.samples import ERROR, GOOD, project
from tests.system.support import linux, posix, refused, shell

pytestmark = posix


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return project(tmp_path, {"good.onnx": GOOD, "error.onnx": ERROR})


VERBS = (
    "error.onnx",
    "error.onnx -o json",
    "error.onnx --statistics",
    "inspect good.onnx",
    "diff good.onnx good.onnx",
    "rules",
    "rule QNT001",
    "--version",
    "check --help",
)


@linux
@pytest.mark.parametrize("verb", VERBS)
def test_full_output(verb: str, folder: Path) -> None:
    refused(shell(f"modellint {verb} >/dev/full", folder), "standard output: No space left")


@pytest.mark.parametrize("verb", VERBS)
def test_closed_output(verb: str, folder: Path) -> None:
    refused(shell(f"modellint {verb} >&-", folder), "standard output: it is closed")


def test_reports_in_files_need_no_output(folder: Path) -> None:
    result = shell("modellint error.onnx -o json:report.json <&- >&- 2>&-", folder)
    assert result.exit_code == 1
    assert json.loads((folder / "report.json").read_text())["findings"]


def test_all_streams_closed(folder: Path) -> None:
    assert shell("modellint error.onnx <&- >&- 2>&-", folder).exit_code == 2


def test_closed_input(folder: Path) -> None:
    refused(shell("modellint - <&-", folder), "cannot store standard input")
    assert shell("modellint good.onnx <&-", folder).exit_code == 0


@linux
def test_full_error_output_changes_nothing(folder: Path) -> None:
    assert shell("modellint error.onnx 2>/dev/full", folder).exit_code == 1
    assert shell("modellint missing.onnx 2>/dev/full", folder).exit_code == 2


@pytest.mark.parametrize(("verb", "code"), [(each, int("error" in each)) for each in VERBS])
def test_a_lost_reader_does_not_change_the_exit_code(verb: str, code: int, folder: Path) -> None:
    """`true` reads nothing."""
    result = shell(f"modellint {verb} | true", folder)
    assert (result.exit_code, result.stderr) == (code, "")


def test_a_lost_reader_takes_no_report_with_it(folder: Path) -> None:
    script = "modellint error.onnx -o full -o json:report.json | true"
    assert shell(script, folder).exit_code == 1
    assert json.loads((folder / "report.json").read_text())["findings"]


def test_a_reader_of_one_line(folder: Path) -> None:
    """A report that is longer than what a pipe holds."""
    for number in range(400):
        (folder / f"{'x' * 200}{number}.onnx").write_bytes(b"")
    result = shell("modellint . --select file -o concise | head -1", folder)
    assert result.exit_code == 1
    assert result.stdout.count("\n") == 1
    assert result.stderr.startswith("note: For any runtime.")
    assert result.stderr.count("\n") == 1
