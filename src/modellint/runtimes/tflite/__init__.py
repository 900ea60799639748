"""LiteRT: its name, and how models run in it."""

from modellint.runtimes.execution import Executor
from modellint.runtimes.runtime import Input, Runtime

_EXPORTS = "`onnx2tf` converts ONNX files, `litert-torch` programs of PyTorch"

INPUT = Input(
    ("tflite",),
    "TFLite files",
    f"Convert the model to TFLite ({_EXPORTS}), and check that file.",
    "https://ai.google.dev/edge/litert/conversion/overview",
)
INTEGERS = Input(
    ("tflite",),
    "TFLite files of integers",
    f"Convert the model to TFLite ({_EXPORTS}), quantize it to 8 bits with calibration data"
    " (`onnx2tf -oiqt`), and check that file.",
    "https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/post_training_quantization",
)
"""Of accelerators that compute with integers only."""

RUNTIME = Runtime(
    "tflite",
    "LiteRT",
    input=INPUT,
    executor=Executor(
        f"{__name__}.execution",
        "ai_edge_litert",
        formats=("tflite",),
        install="pip install ai-edge-litert",
    ),
)
