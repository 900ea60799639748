"""Qualcomm's compiler; needs onnxruntime and onnxruntime-qnn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modellint.runtimes.qnn import USUAL
from modellint.runtimes.qnn.chips import chips
from modellint.runtimes.qnn.probe import Compiler
from placements import MOST_TEXT, Compile


def compiler(chip: str) -> Compile:
    made = Compiler(chip or chips()[USUAL].number)

    def compile_model(file: Path, sizes: Mapping[str, int]) -> dict[str, Any]:
        found = made.compile(file, sizes)
        return {
            "starts": found.starts,
            "partitions": [[name for name, _ in part] for part in found.partitions],
            "left": [name for name, _ in found.left],
            "error": found.error[:MOST_TEXT],
        }

    return compile_model
