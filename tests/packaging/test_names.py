"""Names mean one thing each, and ruff formats all that there is."""

from __future__ import annotations

import ast
from collections import defaultdict

from tests.support import ROOT

SRC = ROOT / "src"


def test_no_two_classes_are_called_alike() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for file in sorted(SRC.rglob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(file.relative_to(SRC).as_posix())
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def test_ruff_formats_every_line() -> None:
    mark = "fmt: " + "skip"
    files = [file for room in (SRC, ROOT / "tests", ROOT / "tools") for file in room.rglob("*.py")]
    skipping = [file.name for file in files if mark in file.read_text(encoding="utf-8")]
    assert skipping == []


def test_links_to_themselves_are_survived() -> None:
    """`Path.resolve` raises for them; `real_path` does not."""
    raising = [file.name for file in SRC.rglob("*.py") if ".resolve()" in file.read_text("utf-8")]
    assert raising == []
