"""Core ML on Apple's devices; ONNX models run in it through ONNX Runtime, as ML programs."""

from pathlib import Path

from modellint.runtimes.placing import Placing
from modellint.runtimes.runtime import Runtime

DOCS = "https://onnxruntime.ai/docs/execution-providers/CoreML-ExecutionProvider.html"
PLACING = Placing(
    "Core ML",
    article="",
    static_only=False,
    converts=False,
    highest_rank=5,
    others=(("torch", "executorch-coreml"),),
    source=DOCS,
)
RUNTIME = Runtime(
    "coreml",
    "Core ML",
    loaded_by="onnxruntime",
    tables=Path(__file__).parent,
    placing=PLACING,
)
