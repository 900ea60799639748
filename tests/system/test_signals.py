"""Signals end a run at any moment: with the right exit code, and with nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from modellint.base.temporary import temporary_folder
from tests.samples import INFO, project
from tests.support import PATIENCE

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are another thing there")

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
BEGUN = """
import os, sys

def tell(event, arguments):
    if event == "import" and arguments[0] == "modellint.cli":
        os.write(1, b"!")

sys.addaudithook(tell)
from modellint.__main__ import main
main()
"""
"""Before it imports itself, Python answers signals as it likes."""


def start(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", BEGUN, *options],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(folder / "temporary")},
    )
    assert process.stdout is not None
    assert process.stdout.read(1) == b"!"
    return process


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    project(tmp_path, {f"{number}.onnx": INFO for number in range(3)})
    (tmp_path / "temporary").mkdir()
    return tmp_path


@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize("options", [(), ("--jobs", "2")])
def test_a_signal_at_any_moment(
    folder: Path, number: signal.Signals, options: tuple[str, ...]
) -> None:
    codes = set()
    for delay in (0.02, 0.03, 0.05, 0.1, 0.2, 0.4, 0.8):
        process = start(folder, ".", "--no-cache", *options)
        time.sleep(delay)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=PATIENCE)
        assert b"Traceback" not in stderr
        codes.add(process.returncode)
    assert codes <= {CODES[number], 0}  # 0 if it was quicker


@pytest.mark.parametrize("number", CODES)
def test_no_temporary_folder_is_left(folder: Path, number: signal.Signals) -> None:
    process = start(folder, "-")
    wait_for_one(folder / "temporary", Path.is_dir)
    process.send_signal(number)
    stdin = process.stdin
    _, stderr = process.communicate(timeout=PATIENCE)
    assert stdin is not None
    assert process.returncode == CODES[number]
    assert b"Traceback" not in stderr
    assert not any((folder / "temporary").iterdir())


def test_the_folder_of_a_killed_run_is_removed_by_the_next(folder: Path) -> None:
    process = start(folder, "-")
    left = wait_for_one(folder / "temporary", Path.is_dir)
    wait_for_one(left, Path.is_file)  # it is locked before anything is in it
    os.utime(left, (0, 0))
    with temporary_folder_in(folder):
        assert left.exists()  # in use, however old
    process.kill()
    process.communicate(timeout=PATIENCE)
    assert left.exists()
    foreign = folder / "temporary" / "modellint-run-link"
    foreign.symlink_to(folder)
    kept = folder / "temporary" / "modellint-examples"
    kept.mkdir()
    os.utime(kept, (0, 0))
    with temporary_folder_in(folder) as mine:
        assert set((folder / "temporary").iterdir()) == {foreign, kept, mine}
    assert (folder / "0.onnx").exists()


@contextmanager
def temporary_folder_in(folder: Path) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder / "temporary"))
        with temporary_folder() as mine:
            yield mine


def wait_for_one(folder: Path, is_meant: Callable[[Path], bool]) -> Path:
    """Wait for an entry; Python itself tries whether it can write files, and removes them."""
    deadline = time.monotonic() + PATIENCE
    while (found := next(filter(is_meant, folder.iterdir()), None)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_a_hangup_is_ignored_where_the_user_wants_that(folder: Path) -> None:
    code = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n{BEGUN}"
    process = subprocess.Popen(
        [sys.executable, "-c", code, ".", "--no-cache"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.read(1) == b"!"
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
