"""TI's TIDL: the matrix accelerator of its processors, through ONNX Runtime's provider."""

from pathlib import Path

from modellint.runtimes.placing import Placing
from modellint.runtimes.runtime import Runtime

RUNTIME = Runtime(
    "tidl",
    "TI's TIDL",
    tables=Path(__file__).parent,
    quantizes=True,
    placing=Placing(
        "matrix accelerator",
        source="https://github.com/TexasInstruments/edgeai-tidl-tools",
    ),
)
