"""LiteRT's plug-in for Qualcomm's NPU; needs ai-edge-litert and onnxruntime-qnn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modellint.runtimes.litert_qualcomm import USUAL
from modellint.runtimes.litert_qualcomm.probe import shared_out
from placements import MOST_TEXT, Compile


def compiler(chip: str) -> Compile:
    def compile_model(file: Path, sizes: Mapping[str, int]) -> dict[str, Any]:
        found = shared_out(file, chip or USUAL)
        return {
            "starts": not found.error,
            "partitions": [[node.label for node in part] for part in found.partitions],
            "left": [node.label for node in found.left],
            "error": found.error[:MOST_TEXT],
        }

    return compile_model
