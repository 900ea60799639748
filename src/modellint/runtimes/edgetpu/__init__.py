"""Google's Edge TPU, through its compiler and LiteRT's delegate."""

from pathlib import Path

from modellint.runtimes.placing import Placing
from modellint.runtimes.runtime import Runtime
from modellint.runtimes.tflite import INTEGERS

RUNTIME = Runtime(
    "edgetpu",
    "Edge TPU",
    builder="tflite",
    input=INTEGERS,
    tables=Path(__file__).parent,
    placing=Placing(
        "Edge TPU",
        dialects=("tflite",),
        fixes_batch=True,
        grouping="epochs",
        keeps="first",
        source="https://coral.ai/docs/edgetpu/models-intro/",
    ),
)
