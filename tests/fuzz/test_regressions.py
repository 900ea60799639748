"""Files that once broke something, made as small as they can be, are linted and inspected."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.mutants import mutant
from tests.fuzz.tree import kind_of, parse, write
from tests.support import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fuzzer forks and sets limits")
REGRESSIONS = Path(__file__).parent / "regressions"


def fuzz(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_nothing_fails_again() -> None:
    done = fuzz("--files", REGRESSIONS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_mutants_are_reproducible() -> None:
    for number in range(40):
        assert mutant(7, 1, number) == mutant(7, 1, number)
    assert len({mutant(7, 1, number).data for number in range(40)}) > 30


def test_trees_keep_every_byte() -> None:
    for path in sorted(ROOT.glob("examples/*.onnx"))[:5]:
        data = path.read_bytes()
        if data[:1] == b"\x08":
            assert write(parse(data, kind_of("ModelProto"))) == data
