"""NNAPI on Android's devices, through ONNX Runtime."""

from pathlib import Path

from modellint.runtimes.placing import Placing
from modellint.runtimes.runtime import Runtime

RUNTIME = Runtime(
    "nnapi",
    "NNAPI",
    loaded_by="onnxruntime",
    tables=Path(__file__).parent,
    placing=Placing(
        "NNAPI",
        article="",
        source="https://onnxruntime.ai/docs/execution-providers/NNAPI-ExecutionProvider.html",
    ),
)
