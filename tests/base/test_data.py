"""Folders of data files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from modellint.base.data import files_below


def test_what_cannot_be_read_has_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b.toml", "a/c.toml", "a/d.txt", "locked/e.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    scandir = os.scandir

    def refused(path: str) -> Any:
        if path.endswith("locked"):
            raise PermissionError(path)
        return scandir(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", refused)
        found = files_below(tmp_path, ".toml")
    assert found == [str(tmp_path / "a" / "c.toml"), str(tmp_path / "b.toml")]
    assert files_below(tmp_path / "b.toml", ".toml") == []
