"""MNN, which runs models that its tool has converted."""

from pathlib import Path

from modellint.runtimes.probe import Gpu, Probe
from modellint.runtimes.runtime import Loading, Runtime


def ability(gpu: Gpu) -> str:
    return "converts ONNX and TFLite models, and names the operators that it lacks"


RUNTIME = Runtime(
    "mnn",
    "MNN",
    loading=Loading(by_type_alone=True),
    tables=Path(__file__).parent,
    probe=Probe(
        code=f"{__name__}.probe",
        modules=("MNN",),
        packages=("mnn",),
        install="modellint probe --setup mnn",
        ability=ability,
        formats=("onnx", "onnx-text", "tflite"),
        environment=Path(__file__).with_name("environment.toml"),
    ),
)
