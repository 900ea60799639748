"""Core ML through ONNX Runtime, in the older form for systems before iOS 15 and macOS 12."""

from pathlib import Path

from modellint.runtimes.coreml import PLACING
from modellint.runtimes.runtime import Runtime

RUNTIME = Runtime(
    "coreml-neuralnetwork",
    "Core ML's neural networks",
    loaded_by="onnxruntime",
    tables=Path(__file__).parent,
    placing=PLACING,
)
