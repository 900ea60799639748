"""Qualcomm's QNN: the Hexagon processor of a Snapdragon, through ONNX Runtime's provider."""

from pathlib import Path

from modellint.runtimes.placing import Placing
from modellint.runtimes.probe import Device, Gpu, Level, Probe, Reach
from modellint.runtimes.runtime import Runtime

USUAL = "sm8650"
"""The chip of a Snapdragon 8 Gen 3, for deployments without a device."""


def ability(gpu: Gpu) -> str:
    return "compiles for the NPU of a Snapdragon, without one"


def reach(level: Level, device: Device | None, gpu: Gpu) -> Reach | str:
    from modellint.runtimes.qnn.chips import chip_of, chips

    chip = chips()[USUAL] if device is None else chip_of(device)
    if chip is None:
        return f"Qualcomm's compiler knows no chip of {device.name if device else USUAL}"
    return Reach(level, chip=chip.number)


RUNTIME = Runtime(
    "qnn",
    "Qualcomm's QNN",
    loaded_by="onnxruntime",
    tables=Path(__file__).parent,
    placing=Placing(
        "NPU",
        oldest_opset=7,
        drops_lone_pairs=True,  # qnn_execution_provider.cc of ONNX Runtime says so
        others=(("tflite", "litert-qualcomm"),),
        source="https://onnxruntime.ai/docs/execution-providers/QNN-ExecutionProvider.html",
    ),
    probe=Probe(
        code=f"{__name__}.probe",
        modules=("onnxruntime_qnn",),
        packages=("onnxruntime-qnn",),
        install="modellint probe --setup qnn",
        ability=ability,
        reach=reach,
        environment=Path(__file__).with_name("environment.toml"),
    ),
)
