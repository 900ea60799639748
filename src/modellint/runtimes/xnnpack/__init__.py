"""LiteRT's XNNPACK delegate: the fast kernels for CPUs, which take what they know of a graph."""

from pathlib import Path

from modellint.runtimes.placing import Placing
from modellint.runtimes.probe import Gpu, Probe
from modellint.runtimes.runtime import Runtime
from modellint.runtimes.tflite import INPUT

INSTALL = "pip install ai-edge-litert"


def ability(gpu: Gpu) -> str:
    return "applies the delegate to TFLite files, on the CPU"


RUNTIME = Runtime(
    "xnnpack",
    "LiteRT with XNNPACK",
    input=INPUT,
    tables=Path(__file__).parent,
    placing=Placing(
        "XNNPACK",
        article="",
        fallback="built-in kernels",
        static_only=False,
        dialects=("tflite",),
        grouping="epochs",
        source="https://github.com/google-ai-edge/LiteRT/tree/main/tflite/delegates/xnnpack",
    ),
    probe=Probe(
        code=f"{__name__}.probe",
        modules=("ai_edge_litert",),
        packages=("ai-edge-litert",),
        install=INSTALL,
        ability=ability,
        formats=("tflite",),
        environment=Path(__file__).with_name("environment.toml"),
    ),
)
