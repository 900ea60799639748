"""LiteRT: its name, and how models run in it."""

from modellint.runtimes.execution import Executor
from modellint.runtimes.runtime import Runtime

RUNTIME = Runtime(
    "tflite",
    "LiteRT",
    executor=Executor(
        f"{__name__}.execution",
        "ai_edge_litert",
        formats=("tflite",),
        install="pip install ai-edge-litert",
    ),
)
