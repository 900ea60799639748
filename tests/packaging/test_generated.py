"""Files that are made from others are up to date: pages, schemas, pictures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

GENERATORS = sorted((ROOT / "tools").glob("generate_*.py"))


@pytest.mark.parametrize("generator", GENERATORS, ids=lambda path: path.stem)
def test_what_is_generated_is_up_to_date(generator: Path) -> None:
    command = [sys.executable, str(generator), "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_stale_file_is_named_with_the_way_to_make_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(ROOT / "tools")
    import generated

    monkeypatch.setattr(generated, "ROOT", tmp_path)
    page, gone = tmp_path / "page.md", tmp_path / "gone.md"
    gone.touch()
    contents = {page: "new", gone: None}
    monkeypatch.setattr(sys, "argv", ["", "--check"])
    assert generated.bring_up_to_date(contents) == 1
    assert capsys.readouterr().err.splitlines() == [
        "page.md is out of date: run make generate",
        "gone.md is out of date: run make generate",
    ]
    monkeypatch.setattr(sys, "argv", [""])
    assert generated.bring_up_to_date(contents) == 0
    assert (page.read_text(), gone.exists()) == ("new", False)
