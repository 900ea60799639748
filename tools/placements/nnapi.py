"""ONNX Runtime's own check for nnapi."""

from placements import Compile, _mobile


def compiler(chip: str) -> Compile:
    return _mobile.compiler("nnapi")
