"""Systems that lack something: a home, a terminal, memory, files, space."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.samples import ERROR, GOOD, INFO, project
from tests.support import PATIENCE, run_cli
from tests.system.support import linux, posix, refused, shell

PAGES = (
    "error.onnx",
    "error.onnx -v --statistics",
    "inspect good.onnx -t a10",
    "rules",
    "rule QNT001",
    "targets",
    "check --help",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return project(tmp_path, {"good.onnx": GOOD, "error.onnx": ERROR, "info.onnx": INFO})


@pytest.mark.parametrize("columns", ["0", "1", "19", "1000", "-5", "²", "x", "", "9" * 30])
@pytest.mark.parametrize("page", PAGES)
def test_widths(columns: str, page: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    result = run_cli(*page.split(), cwd=folder)
    assert result.exit_code == int("error" in page), result
    assert len(result.stdout) < 200_000
    assert not result.stderr


@posix
@pytest.mark.parametrize(
    "variables",
    [
        {"TERM": None},
        {"TERM": None, "FORCE_COLOR": "1"},
        {"TERM": "dumb"},
        {"LC_ALL": "C"},
        {"LC_ALL": "POSIX", "PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "xx_YY.nothing"},
        {"PYTHONIOENCODING": "cp1252"},
    ],
)
def test_terminals_and_locales(variables: dict[str, str | None], folder: Path) -> None:
    result = shell("modellint error.onnx && exit 9; modellint inspect good.onnx", folder, variables)
    assert result.exit_code == 0, result
    assert "VAL003" in result.stdout
    assert "error" not in result.stderr  # the shell itself warns of a missing locale


@posix
@pytest.mark.parametrize(
    "home", [None, "", "/nonexistent/x", "/dev/null", "relative", "/" + "x" * 300]
)
def test_homes(home: str | None, folder: Path) -> None:
    variables = {"HOME": home, "MODELLINT_CACHE_DIR": None, "XDG_CACHE_HOME": None}
    result = shell("modellint good.onnx", folder, variables)
    assert result.exit_code == 0, result
    assert not result.stderr


def test_a_user_whom_the_system_does_not_know(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    monkeypatch.delenv("MODELLINT_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for arguments in ("good.onnx", "inspect good.onnx -t a10", "rule QNT001", "targets"):
        result = run_cli(*arguments.split(), cwd=folder)
        assert (result.exit_code, result.stderr) == (0, ""), result


@linux
def test_a_cache_folder_that_cannot_be_written(folder: Path) -> None:
    for place in ("/proc", "/dev/null", "/sys/x"):
        result = shell("modellint good.onnx", folder, {"MODELLINT_CACHE_DIR": place})
        assert (result.exit_code, result.stderr) == (0, ""), result


@posix
@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize("files", [8, 10, 20])
def test_few_open_files(files: int, jobs: int, folder: Path) -> None:
    script = f"ulimit -n {files}; modellint . --select VAL003 --no-cache -o json --jobs {jobs}"
    result = shell(script, folder)
    assert result.exit_code == 1, result
    assert [each["code"] for each in json.loads(result.stdout)["findings"]] == ["VAL003"]


@linux
@pytest.mark.parametrize("kilobytes", [20_000, 40_000, 60_000, 100_000, 1_000_000])
def test_little_memory(kilobytes: int, folder: Path) -> None:
    """It may be too little for a rule, or for everything, but there is always an answer."""
    result = shell(f"ulimit -v {kilobytes}; modellint error.onnx --no-cache", folder)
    assert result.exit_code in (1, 2, 3), result
    assert result.stdout or "not enough memory" in result.stderr


@posix
def test_no_space_for_reports(folder: Path) -> None:
    """A limit on the size of files stands for a full disk; writing beyond it fails likewise."""
    before = sorted(folder.iterdir())
    for options in ("-o json:report.json", "--write-baseline --baseline b.json"):
        refused(shell(f"ulimit -f 0; modellint error.onnx {options}", folder), "cannot write")
    assert sorted(folder.iterdir()) == before


@posix
def test_no_space_for_the_cache(folder: Path, tmp_path: Path) -> None:
    cache = {"MODELLINT_CACHE_DIR": str(tmp_path / "cache")}
    for jobs in (1, 2):
        result = shell(f"ulimit -f 0; modellint . --select VAL003 --jobs {jobs}", folder, cache)
        assert result.exit_code == 1
        assert not result.stderr
    assert not [
        path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.read_bytes()
    ]


@posix
def test_no_space_for_standard_input(folder: Path) -> None:
    refused(shell("ulimit -f 0; modellint - < good.onnx", folder), "No usable temporary directory")
    large = "head -c 3000000 /dev/zero |"
    refused(shell(f"ulimit -f 1; {large} modellint -", folder), "cannot store standard input")


@posix
def test_a_full_disk_keeps_the_report_that_was_there(folder: Path) -> None:
    assert shell("modellint error.onnx -o json:report.json", folder).exit_code == 1
    before = (folder / "report.json").read_bytes()
    script = "ulimit -f 0; modellint good.onnx -o json:report.json"
    refused(shell(script, folder), "cannot write report.json")
    assert (folder / "report.json").read_bytes() == before


@posix
def test_eight_runs_at_once_over_one_cache(folder: Path) -> None:
    command = [sys.executable, "-m", "modellint", ".", "--select", "HYG005,VAL003", "-o", "json"]
    for _ in range(2):
        runs = [
            subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(8)
        ]
        for run in runs:
            stdout, stderr = run.communicate(timeout=PATIENCE)
            assert run.returncode == 1
            assert not stderr
            found = json.loads(stdout)["findings"]
            assert [each["code"] for each in found] == ["VAL003", "HYG005"]
    cache = Path(os.environ["MODELLINT_CACHE_DIR"])
    assert not [path for path in cache.rglob("*") if path.name.startswith(".modellint-")]
