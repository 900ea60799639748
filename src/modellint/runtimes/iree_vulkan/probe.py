"""In the child process: compiles a model with IREE for GPUs with Vulkan."""

from __future__ import annotations

from typing import Any

from modellint.runtimes.iree.probe import tell_compiled
from modellint.runtimes.probe import Tell

FLAGS = ("--iree-hal-target-device=vulkan",)


def answer(request: dict[str, Any], tell: Tell) -> None:
    tell_compiled(request, tell, {"Vulkan": FLAGS})
