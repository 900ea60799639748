"""OpenVINO: its name, how models run in it, and how it is asked."""

from pathlib import Path

from modellint.runtimes.execution import Executor
from modellint.runtimes.probe import Device, Gpu, Level, Probe, Reach
from modellint.runtimes.runtime import Loading, Runtime


def ability(gpu: Gpu) -> str:
    return "converts models, and compiles them for the CPU"


def reach(level: Level, device: Device | None, gpu: Gpu) -> Reach | str:
    return Reach(level if device is None else "parse")  # others need a driver to compile for


RUNTIME = Runtime(
    "openvino",
    "OpenVINO",
    loading=Loading(
        by_name=True, tolerates=frozenset({"duplicate-initializer", "duplicate-constant"})
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
