"""docs/inspect.md shows what the program prints, and its JSON is the program's."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.exports import materialise
from tests.inspect.sample import BLOCK, DOCS, run
from tests.inspect.support import inspect_json

TEXT = DOCS.read_text(encoding="utf-8")
SAMPLES = BLOCK.findall(TEXT)
FIGURE = re.compile(r"\d[\d.,]*")


def outline(text: str) -> list[list[str]]:
    """Its words, without the figures of estimates, which grow better."""
    rows = []
    for line in text.splitlines():
        bare = re.sub(r"[▕█▓▒░▞▚━─▏┃✓✗~]+", " ", line)
        rows.append(
            re.sub(r"# (?:[KMGT]i)?B\b|# [µm]?s\b|# m?J\b", "#", FIGURE.sub("#", bare)).split()
        )
    return [row for row in rows if row]


@pytest.mark.parametrize(("command", "shown"), SAMPLES, ids=[command for command, _ in SAMPLES])
def test_samples_are_what_the_program_prints(command: str, shown: str, tmp_path: Path) -> None:
    printed = run(command, tmp_path)
    facts, said = (text.partition("\n── ")[0] for text in (shown, printed))
    hint = "python -m tests.inspect.sample writes it again"
    assert facts == said, hint
    labels = [[row[0] for row in outline(text)] for text in (shown, printed)]
    assert set(labels[0]) == set(labels[1]), hint


def test_the_json_has_the_fields_shown(tmp_path: Path) -> None:
    block = re.search(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert block is not None
    shown: dict[str, Any] = json.loads(block[1])
    inspected = inspect_json(materialise("resnet50", tmp_path), "-t", "a10", "--precision", "fp16")
    assert shown.keys() <= inspected.keys()
    for field in ("version", "format", "parameters", "macs", "macs_formula"):
        assert shown[field] == inspected[field]
    assert shown["weight_bytes"] == inspected["weight_bytes"]
    needs, said = shown["memory"]["a10"], inspected["memory"]["a10"]
    assert needs.keys() <= said.keys()
    assert needs["total"].keys() == said["total"].keys()
    assert needs["weights"] == said["weights"]
    assert needs["verdict"] == said["verdict"]
