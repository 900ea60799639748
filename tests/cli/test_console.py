"""What is said on standard error besides findings."""

from __future__ import annotations

import io
import time

import pytest

from modellint.cli import console
from modellint.cli.console import Progress, printable


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(console, "PATIENCE", 0.05)
    return stream


def work(progress: Progress, seconds: float) -> None:
    with progress:
        progress(1, 3)
        time.sleep(seconds)
        progress(2, 3)


def test_slow_work_on_a_terminal_shows_a_bar(terminal: Terminal) -> None:
    with Progress() as progress:
        progress(2, 3)
        progress.say("probing")
        wait_for(terminal, "probing")
    assert "2/3" in terminal.getvalue()


def wait_for(terminal: Terminal, text: str) -> None:
    deadline = time.monotonic() + 20
    while text not in terminal.getvalue():
        assert time.monotonic() < deadline, terminal.getvalue()
        time.sleep(0.05)


def test_quick_work_shows_nothing(terminal: Terminal) -> None:
    work(Progress(), 0.0)
    time.sleep(0.1)
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("name", ["CI", "GITHUB_ACTIONS", "PRE_COMMIT"])
def test_a_log_shows_no_bar(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    work(Progress(), 0.2)
    assert terminal.getvalue() == ""


def test_no_bar_where_none_is_wanted(terminal: Terminal) -> None:
    work(Progress(wanted=False), 0.2)
    assert terminal.getvalue() == ""


def test_no_bar_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr(console, "PATIENCE", 0.05)
    work(Progress(), 0.2)
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [("plain é 模", "plain é 模"), ("a\x1b[31m", "a\\x1b[31m"), ("a\nb\tc", "a\nb\tc")],
)
def test_printable(text: str, expected: str) -> None:
    assert printable(text) == expected
