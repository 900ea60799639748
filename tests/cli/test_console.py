"""Messages on standard error other than findings."""

from __future__ import annotations

import io
import time
from unittest.mock import patch

import pytest

from modellint.base.watching import begin, end, tell
from modellint.cli import console
from modellint.cli.console import Progress, printable


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(console, "PATIENCE", 0.05)


def work(stream: io.StringIO, seconds: float, *, until: str = "", wanted: bool = True) -> str:
    """Return the output of a progress bar for work that takes this long."""
    with patch("sys.stderr", stream):  # here: a fixture's patch would be undone by pytest's own
        with Progress(wanted=wanted) as progress:
            progress(2, 3)
            progress.say("probing")
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline and not (until and until in stream.getvalue()):
                time.sleep(0.02)
        return stream.getvalue()


def test_slow_work_on_a_terminal_shows_a_bar() -> None:
    said = work(Terminal(), 20, until="probing")
    assert "probing" in said
    assert "2/3" in said


def test_the_file_that_takes_long_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "SLOW", 0.1)
    stream = Terminal()
    with patch("sys.stderr", stream), Progress() as progress, progress.watching():
        for name in ("a/quick.onnx", "a/slow.onnx", "a/other.onnx"):
            begin(name)
        end("a/quick.onnx")
        progress(1, 3)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and "slow.onnx" not in stream.getvalue():
            time.sleep(0.02)
        tell("a/slow.onnx", 1 << 30)
        while time.monotonic() < deadline and "--no-weights" not in stream.getvalue():
            time.sleep(0.02)
    said = stream.getvalue()
    assert "linting a/slow.onnx" in said
    assert "slow.onnx: 1 GiB of weights (--no-weights)" in said
    assert "quick" not in said


def test_quick_work_shows_nothing() -> None:
    assert work(Terminal(), 0.0) == ""


@pytest.mark.parametrize("name", ["CI", "GITHUB_ACTIONS", "PRE_COMMIT"])
def test_a_log_shows_no_bar(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    assert work(Terminal(), 0.4) == ""


def test_no_bar_where_none_is_wanted() -> None:
    assert work(Terminal(), 0.4, wanted=False) == ""


def test_no_bar_in_a_pipe() -> None:
    assert work(io.StringIO(), 0.4) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [("plain é 模", "plain é 模"), ("a\x1b[31m", "a\\x1b[31m"), ("a\nb\tc", "a\nb\tc")],
)
def test_printable(text: str, expected: str) -> None:
    assert printable(text) == expected
