"""Targets kept between runs: the same as when they were validated, and never stale."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from modellint.targets import find_target, kept, load_targets
from modellint.targets.kept import keep, load_kept, state_of
from tests.targets.test_loader import MINE


def test_every_target_is_the_same_from_the_cache() -> None:
    fresh = load_targets()
    assert load_targets() == fresh
    assert [repr(target) for target in load_targets()] == [repr(target) for target in fresh]


def test_a_kept_target_needs_no_pydantic(isolated: Path) -> None:
    find_target("a10")
    script = "import sys; from modellint.targets import find_target; find_target('a10')"
    check = f"{script}; assert 'pydantic' not in sys.modules"
    subprocess.run(
        [sys.executable, "-c", check],
        check=True,
        env={**os.environ, "MODELLINT_CACHE_DIR": str(isolated)},
    )


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "my-board.toml"
    file.write_text(MINE)
    assert find_target("my-board", [tmp_path]).memory.nominal == 4 << 30
    file.write_text(MINE.replace("4 GiB", "16 GiB"))
    assert find_target("my-board", [tmp_path]).memory.nominal == 16 << 30


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"state": "", "target": {}}'])
def test_a_damaged_file_is_ignored(isolated: Path, content: str) -> None:
    target = find_target("a10")
    (file,) = (isolated / "targets").rglob("a10.json")
    file.write_text(content)
    assert load_kept("a10", "") is None
    assert find_target("a10") == target


def test_a_cache_that_cannot_be_written_only_costs_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MODELLINT_CACHE_DIR", str(tmp_path / "file"))
    assert find_target("a10").id == "a10"


def test_each_installation_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    here, ours = find_target("a10"), kept.__file__
    monkeypatch.setattr("modellint.targets.kept.__file__", "/elsewhere/modellint/targets/kept.py")
    keep(here, "another state")
    assert load_kept("a10", "another state") == here
    monkeypatch.setattr("modellint.targets.kept.__file__", ours)
    assert load_kept("a10", "another state") is None


def test_the_state_names_every_file(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.touch()
    assert str(file) in state_of([file])
