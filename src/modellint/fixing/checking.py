"""In a child process: asks onnx's checker about a model, which it may not survive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modellint.native import library
from modellint.probes.child import Tell


def answer(request: dict[str, Any], tell: Tell) -> None:
    told: dict[str, Any] = {}
    for path in request["paths"]:
        try:
            library().checker.check_model_path(str(Path(path)))
            told[path] = ""
        except Exception as error:  # onnx raises its own, and the standard ones
            lines = str(error).strip().splitlines()
            told[path] = (lines[0] if lines else type(error).__name__)[:500]
    tell(told)
