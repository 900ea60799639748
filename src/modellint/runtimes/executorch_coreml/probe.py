"""In the child process: lets ExecuTorch lower an exported program for its delegate."""

from __future__ import annotations

from typing import Any

from modellint.runtimes.executorch.probe import tell_for
from modellint.runtimes.probe import Tell


def answer(request: dict[str, Any], tell: Tell) -> None:
    tell_for("executorch-coreml", "Core ML", request, tell)
