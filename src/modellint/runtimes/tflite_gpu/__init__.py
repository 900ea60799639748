"""TensorFlow Lite's GPU delegate: the GPU of a phone, through OpenCL, OpenGL or Metal."""

from pathlib import Path

from modellint.runtimes.placing import Placing
from modellint.runtimes.runtime import Runtime

RUNTIME = Runtime(
    "tflite-gpu",
    "TensorFlow Lite's GPU delegate",
    builder="tflite",
    tables=Path(__file__).parent,
    placing=Placing(
        "GPU",
        static_only=False,
        dialects=("tflite",),
        grouping="epochs",
        widens_constants=True,
        keeps="largest",
        others=(("onnx", "nnapi"),),
        source="https://ai.google.dev/edge/litert/performance/gpu",
    ),
)
