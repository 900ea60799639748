"""ExecuTorch's partitioners, all in the same form."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modellint.runtimes.executorch.lowering import chosen
from placements import MOST_TEXT, Compile


def compiler(runtime: str) -> Compile:
    def compile_model(file: Path, sizes: Mapping[str, int]) -> dict[str, Any]:
        import torch

        try:
            found = chosen(torch.export.load(file), runtime)
        except Exception as error:  # whatever a compiler raises
            return {"starts": False, "partitions": [], "left": [], "error": str(error)[:MOST_TEXT]}
        return {
            "starts": True,
            "partitions": [list(part) for part in found.partitions],
            "left": list(found.left),
            "error": "",
        }

    return compile_model
