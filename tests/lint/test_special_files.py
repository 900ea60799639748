"""Pipes, devices, sockets and folders instead of files: never opened, never waited for."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modellint.base.files import open_regular, read_regular
from tests.samples import ERROR, GOOD, project
from tests.support import PATIENCE, CliResult, run_cli, run_process

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such files there")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the address of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    finally:
        os.chdir(here)


def _folder(path: Path) -> None:
    path.mkdir()


def _huge(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


Make = Callable[[Path], None]
SPECIAL = [_pipe, _endless, _socket]
EXTERNAL = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[1,4] x) => (float[1,4] y)
<float[4] w = ["location": "weights.bin", "offset": "0", "length": "16"]>
{ y = Add (x, w) }
"""


@pytest.fixture(autouse=True)
def alarm() -> Iterator[None]:
    """End what waits forever by a signal, and with it the test."""
    signal.alarm(PATIENCE)
    yield
    signal.alarm(0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return project(tmp_path / "models", {"error.onnx": ERROR})


def run(folder: Path, *arguments: str) -> CliResult:
    return run_cli(*(arguments or (".",)), "-o", "concise", cwd=folder)


@pytest.mark.parametrize("make", SPECIAL)
@pytest.mark.parametrize("named", [True, False], ids=["named", "walked"])
def test_as_a_model_it_is_one_finding(folder: Path, make: Make, named: bool) -> None:
    make(folder / "special.onnx")
    result = run(folder, "special.onnx") if named else run(folder)
    assert [line[:12] for line in result.stdout.splitlines() if "FIL011" in line] == [
        "special.onnx"
    ]
    assert named or "VAL003" in result.stdout
    assert result.exit_code == 1
    assert run_cli("inspect", "special.onnx", cwd=folder).exit_code == 1


def test_a_folder_named_like_a_model_is_walked(folder: Path) -> None:
    project(folder, {"inner.onnx/good.onnx": GOOD})
    assert run(folder, "inner.onnx").exit_code == 0


@pytest.mark.parametrize("make", [*SPECIAL, _folder])
def test_as_external_data_it_is_one_finding(folder: Path, make: Make) -> None:
    project(folder, {"net.onnxtxt": EXTERNAL})
    make(folder / "weights.bin")
    result = run(folder, "net.onnxtxt", "--select", "file,numerics,quantization")
    assert [line.partition("error ")[2][:6] for line in result.stdout.splitlines()] == ["FIL015"]
    assert run_cli("inspect", "net.onnxtxt", cwd=folder).exit_code == 0
    assert run(folder, "weights.bin").exit_code in (0, 1)
    probed = run_cli("probe", "net.onnxtxt", cwd=folder)
    assert "not probed" in probed.stdout


@pytest.mark.parametrize("make", [*SPECIAL, _folder, _huge])
@pytest.mark.parametrize(
    "name",
    [
        "good.onnx.data",
        "good.onnx_data",
        "sibling.onnx",
        ".gitignore",
        ".git/info/exclude",
        "modellint.toml",
        "pyproject.toml",
    ],
)
def test_next_to_a_model_it_is_not_opened(folder: Path, make: Make, name: str) -> None:
    project(folder, {"good.onnx": GOOD, "net.onnxtxt": EXTERNAL, ".git/info/x": ""})
    (folder / "good.onnx.bin").write_bytes(bytes(4 << 20))
    make(folder / name)
    result = run(folder, "--select", "file,VAL003", ".")
    if make is _huge and name.endswith(".toml"):
        assert result.exit_code == 2
        assert "larger than" in result.stderr
    else:
        assert "VAL003" in result.stdout, result
        assert result.exit_code == 1


@pytest.mark.parametrize("make", [*SPECIAL, _huge])
@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ('rules = ["mine"]', "mine/OWN001-a-rule.toml"),
        ('target-dirs = ["mine"]\ntargets = ["board"]', "mine/board.toml"),
        ('baseline = "mine/known.json"', "mine/known.json"),
    ],
)
def test_as_a_file_of_the_configuration_it_is_a_mistake(
    folder: Path, make: Make, setting: str, name: str
) -> None:
    project(folder, {"modellint.toml": setting, "mine/x": ""})
    make(folder / name)
    result = run(folder)
    assert result.exit_code == 2, result
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("name", ["mine/OWN001-a-rule.toml", "mine/board.toml"])
def test_links_out_of_the_folders_of_a_configuration_are_not_read(
    folder: Path, tmp_path: Path, name: str
) -> None:
    settings = 'rules = ["mine"]' if "OWN" in name else 'target-dirs = ["mine"]\ntargets = ["a10"]'
    project(folder, {"modellint.toml": settings, "mine/x": ""})
    project(tmp_path, {"secret.toml": "password = 1"})
    (folder / name).symlink_to(tmp_path / "secret.toml")
    result = run(folder)
    assert result.exit_code == 2
    assert "points outside" in result.stderr
    assert "password" not in result.stderr


@pytest.mark.parametrize("make", [*SPECIAL, _folder])
def test_only_regular_files_are_opened(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "x")
    with pytest.raises(OSError, match="it is a"):
        open_regular(tmp_path / "x")


def test_what_takes_the_place_of_a_file_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking at a file and opening it, a pipe takes its place."""
    path = tmp_path / "x"
    path.write_text("x")
    original = os.open

    def swapped(name: str, flags: int) -> int:
        path.unlink()
        os.mkfifo(path)
        return original(name, flags)

    monkeypatch.setattr(os, "open", swapped)
    with pytest.raises(OSError, match="it is a pipe"):
        read_regular(path, 10)


def test_reading_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(11))
    assert len(read_regular(path, 11)) == 11
    with pytest.raises(OSError, match="larger than 10 bytes"):
        read_regular(path, 10)


def test_a_report_about_a_pipe_is_well_formed(folder: Path) -> None:
    _pipe(folder / "special.onnx")
    result = run_process(".", "-o", "json", cwd=folder)
    findings = json.loads(result.stdout)["findings"]
    assert [each["path"] for each in findings if each["code"] == "FIL011"] == ["special.onnx"]
