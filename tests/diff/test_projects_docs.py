"""docs/diff-projects.md shows what the program prints."""

from __future__ import annotations

from pathlib import Path
from shutil import which

import pytest

from tests.diff.sample import BLOCK
from tests.diff.sample_projects import DOCS, fitting, prepare

SAMPLES = BLOCK.findall(DOCS.read_text(encoding="utf-8"))

pytestmark = pytest.mark.skipif(which("git") is None, reason="needs git")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("projects")
    prepare(made)
    return made


@pytest.mark.parametrize(("command", "shown"), SAMPLES, ids=[command for command, _ in SAMPLES])
def test_samples_are_what_the_program_prints(command: str, shown: str, folder: Path) -> None:
    expected = "python -m tests.diff.sample_projects writes it again"
    assert fitting(command, shown, folder) == shown, expected
