"""Kendryte's nncase: the compiler for its K230, which takes a model whole or not at all."""

from pathlib import Path

from modellint.runtimes.placing import Placing
from modellint.runtimes.runtime import Runtime

RUNTIME = Runtime(
    "nncase",
    "Kendryte's nncase",
    tables=Path(__file__).parent,
    quantizes=True,
    placing=Placing(
        "K230",
        fallback="",
        static_only=False,
        dialects=("onnx", "tflite"),
        source="https://github.com/kendryte/nncase",
    ),
)
