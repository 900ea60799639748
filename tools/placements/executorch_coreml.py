"""ExecuTorch with Core ML; needs torch and executorch."""

from __future__ import annotations

from placements import Compile, _executorch


def compiler(chip: str) -> Compile:
    return _executorch.compiler("executorch-coreml")
