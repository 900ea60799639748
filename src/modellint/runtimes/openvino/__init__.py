"""OpenVINO: its name, how models run in it, and how it is asked."""

from pathlib import Path

from modellint.runtimes.execution import Executor
from modellint.runtimes.probe import Device, Gpu, Level, Probe, Reach
from modellint.runtimes.runtime import Input, Loading, Runtime


def ability(gpu: Gpu) -> str:
    return "converts models, and compiles them for the CPU"


def reach(level: Level, device: Device | None, gpu: Gpu) -> Reach | str:
    return Reach(level if device is None else "parse")  # others need a driver to compile for


RUNTIME = Runtime(
    "openvino",
    "OpenVINO",
    loading=Loading(
        by_name=True,
        tolerates=frozenset({"duplicate-initializer", "duplicate-constant"}),
        refuses=frozenset({"outdated"}),
    ),
    input=Input(
        # PyTorch's programs and GGUF are read by its Python packages.
        ("openvino", "tflite", "savedmodel", "torch", "keras", "gguf"),
        "OpenVINO IR, ONNX, TensorFlow's and TFLite files",
        "Convert the model with `ovc`, or export it to ONNX, and check that file.",
        "https://docs.openvino.ai/2026/openvino-workflow/model-preparation.html",
        formats=("onnx", "onnx-text"),
        is_end=True,
        if_named=True,
    ),
    tables=Path(__file__).parent,
    executor=Executor(
        f"{__name__}.execution",
        "openvino",
        formats=("openvino",),
        install="pip install openvino",
        captures=False,
    ),
    probe=Probe(
        code=f"{__name__}.probe",
        modules=("openvino",),
        packages=("openvino",),
        install="modellint probe --setup openvino",
        ability=ability,
        reach=reach,
        formats=("onnx", "onnx-text", "openvino", "tflite"),
        environment=Path(__file__).with_name("environment.toml"),
    ),
)
