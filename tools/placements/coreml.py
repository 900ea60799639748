"""ONNX Runtime's own check for coreml."""

from placements import Compile, _mobile


def compiler(chip: str) -> Compile:
    return _mobile.compiler("coreml")
