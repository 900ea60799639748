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
from tests.system.support import confined, linux, posix, refused, shell

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
@pytest.mark.parametrize("kilobytes", [20_000, 100_000, 300_000, 1_000_000])
def test_little_memory(kilobytes: int, folder: Path) -> None:
    """It may be too little for a rule, or for everything, but there is always an answer.

    Between 30 and 80 MB, libraries load and then crash or wait forever, which no program can help.
    """
    result = shell(f"ulimit -v {kilobytes}; modellint error.onnx --no-cache", folder)
    assert result.exit_code in (1, 2, 3), result
    assert result.stdout or "memory" in result.stderr


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
    assert shell("modellint - < good.onnx", folder).exit_code == 0  # compiles all it needs
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


NAMESPACE = "unshare --user --map-root-user --mount"
"""A system of its own, in which a user can mount something."""


@linux
def test_full_disk(folder: Path) -> None:
    """A file system of 64 KiB: what fits is written whole, what does not is refused."""
    mounted = 'mkdir small; mount -t tmpfs -o size=64k none small && mount | grep -q "$PWD/small"'
    options = "error.onnx --cache-dir small/cache"
    fill = "head -c 1M /dev/zero > small/rest 2> /dev/null"
    script = f"{mounted} || exit 9; {fill}; modellint {options}; echo $?"
    result = confined(NAMESPACE, script, folder)
    if result.exit_code == 9:
        pytest.skip(f"cannot mount here: {result.stderr}")
    assert "VAL003" in result.stdout  # without a cache
    assert result.stdout.endswith("1\n"), result
    for refusal in ("-o json:small/report.json", "--write-baseline --baseline small/known.json"):
        script = f"{mounted}; {fill}; modellint {options} {refusal}; echo $?; ls small"
        result = confined(NAMESPACE, script.replace("mkdir small; ", ""), folder)
        assert "cannot write" in result.stderr, result
        assert "No space left" in result.stderr, result
        assert "Traceback" not in result.stderr, result
        assert result.stdout.split()[-2:] in (["cache", "rest"], ["2", "rest"]), result


@linux
@pytest.mark.parametrize("page", ["check error.onnx", "inspect good.onnx", "rules"])
def test_a_user_without_an_entry(page: str, folder: Path) -> None:
    """The system knows no name and no home of the user, as in many containers."""
    whoever = "unshare --user --map-user=54321"
    result = confined(whoever, f"id -u; modellint {page}", folder, HOME=None)
    assert result.exit_code == int("error" in page), result
    assert result.stdout.startswith("54321\n")
    assert "Traceback" not in result.stderr


@linux
def test_unreadable_files_of_root(folder: Path) -> None:
    """Root without its power over permissions; others are tested elsewhere."""
    if os.geteuid():
        pytest.skip("not root")
    (folder / "info.onnx").chmod(0)
    powerless = "setpriv --bounding-set -dac_override,-dac_read_search --inh-caps=-all"
    result = confined(powerless, "modellint . -o json --no-cache", folder)
    found = {(each["path"], each["code"]) for each in json.loads(result.stdout)["findings"]}
    assert ("info.onnx", "FIL011") in found
    assert ("error.onnx", "VAL003") in found
