"""Faults that are planted for one mutant of a group are found, and named as that mutant's."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from modellint.formats import read_model
from modellint.report import concise
from tests.fuzz import batches
from tests.fuzz.batches import try_batch
from tests.fuzz.mutants import Mutant
from tests.fuzz.outputs import faults
from tests.fuzz.trial import EXAMPLE, FORMATS, Failure, failures, turn_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fuzzer forks and sets limits")
NOTHING = b"planted"
"""Content that no reader takes for a model, and for which faults are planted."""
GROUP, PLACE = 2, 1
TURN = turn_of(0, FORMATS.index("concise"))


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    failures([EXAMPLE], tmp_path_factory.mktemp("warm"), TURN)


def mutant(number: int, *, light: bool) -> Mutant:
    if number == PLACE:
        return Mutant("mutant.plan", NOTHING, TURN, light)
    return Mutant(f"mutant{number}.onnx", EXAMPLE.read_bytes(), TURN, light)


def found(folder: Path, *, light: bool = False) -> dict[int, list[Failure]]:
    tried = try_batch(range(GROUP), partial(mutant, light=light), folder, 1, GROUP)
    return {each.number: each.failures for each in tried}


@pytest.mark.parametrize("light", [False, True])
def test_well_and_refused_files_are_no_failures(tmp_path: Path, *, light: bool) -> None:
    assert found(tmp_path, light=light) == {number: [] for number in range(GROUP)}


def _dies() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _sleeps() -> None:
    time.sleep(60)


def _loops() -> None:
    while True:
        pass


def _takes_memory() -> None:
    bytearray(2 << 30)


def _raises() -> None:
    raise LookupError


def _says_nothing() -> None:
    """The reader goes on, with another file."""


_SLOW = ("hang", "hang (idle)")
"""Kinds that take seconds to find."""


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (_dies, "SIGSEGV"),
        (_sleeps, "hang (idle)"),
        (_loops, "hang"),
        (_takes_memory, "MemoryError"),
        (_raises, "LookupError"),
        (_says_nothing, "silence"),
    ],
)
def test_faults_of_readers(
    fault: Callable[[], None], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(path: Path) -> object:
        if path.read_bytes() != NOTHING:
            return read_model(path)
        fault()
        return read_model(EXAMPLE)

    monkeypatch.setattr("modellint.session.read_model", read)
    monkeypatch.setattr(batches, "PATIENCE", 1)
    monkeypatch.setattr(batches, "USUAL", 0)
    _assert_found(kind, tmp_path)
    if kind not in _SLOW:
        _assert_found(kind, tmp_path, light=True)


@pytest.mark.parametrize(("text", "kind"), [("\x1b[31m", "U+001B"), ("::error::x", "workflow")])
def test_faults_of_reports(
    text: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = concise.line
    monkeypatch.setattr(
        concise, "line", lambda finding: text if ".plan" in finding.path else line(finding)
    )
    _assert_found(kind, tmp_path)
    _assert_found(kind, tmp_path, light=True)


def _assert_found(kind: str, folder: Path, *, light: bool = False) -> None:
    by_mutant = found(folder, light=light)
    assert any(kind in each.kind for each in by_mutant.pop(PLACE)), kind
    assert not any(by_mutant.values())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("json", '{"findings": [}'),
        ("json", '{"findings": [{"code": "X", "severity": "info", "message": NaN}]}'),
        ("jsonl", "{}\n[]"),
        ("junit", '<testsuites><testsuite tests="2"><testcase/></testsuite></testsuites>'),
        ("github", "::set-output name=x::y"),
        ("gitlab", "[{}]"),
        ("markdown", "a <script> b"),
        ("markdown", "![x](http://x)"),
        ("html", "<p><b></p></b>"),
        ("html", '<p onclick="x">'),
        ("card", "<img src=x>"),
        ("csv", "a,b\nc"),
        ("difference", "{} []"),
        ("full", "a\x07"),
        ("full", "##[error]x"),
        ("full", "x" * 3_000_000),
    ],
)
def test_faults_of_texts(name: str, text: str) -> None:
    assert list(faults(name, text, 100))
