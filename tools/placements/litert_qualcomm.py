"""LiteRT's plug-in for Qualcomm's NPU; needs ai-edge-litert and onnxruntime-qnn."""

from __future__ import annotations

from modellint.runtimes.litert_qualcomm import USUAL
from modellint.runtimes.litert_qualcomm.probe import shared_out
from placements import Compile, _delegated


def compiler(chip: str) -> Compile:
    return _delegated.compiler(lambda file: shared_out(file, chip or USUAL))
