"""ONNX Runtime's own check for coreml-neuralnetwork."""

from placements import Compile, _mobile


def compiler(chip: str) -> Compile:
    return _mobile.compiler("coreml-neuralnetwork")
