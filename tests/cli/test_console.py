"""Messages on standard error other than findings."""

from __future__ import annotations

import io
import time
from unittest.mock import patch

import pytest

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
