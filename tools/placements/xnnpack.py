"""LiteRT with XNNPACK; needs ai-edge-litert."""

from __future__ import annotations

from modellint.runtimes.xnnpack.probe import delegated
from placements import Compile, _delegated


def compiler(chip: str) -> Compile:
    return _delegated.compiler(delegated)
