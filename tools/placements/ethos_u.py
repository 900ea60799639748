"""Arm's Vela; needs ethos-u-vela."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modellint.runtimes.ethos_u.probe import VelaCompiler
from placements import MOST_TEXT, Compile

USUAL = "ethos-u65-256"


def compiler(chip: str) -> Compile:
    made = VelaCompiler(chip or USUAL)

    def compile_model(file: Path, sizes: Mapping[str, int]) -> dict[str, Any]:
        found = made.compile(file)
        return {
            "starts": not found.error,
            "partitions": [[node.label for node in part] for part in found.partitions],
            "left": [node.label for node in found.left],
            "error": found.error[:MOST_TEXT],
        }

    return compile_model
