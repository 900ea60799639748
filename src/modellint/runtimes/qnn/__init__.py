"""Qualcomm's QNN: the Hexagon processor of a Snapdragon, through ONNX Runtime's provider."""

from pathlib import Path

from modellint.runtimes.placing import Placing
from modellint.runtimes.probe import Device, Gpu, Level, Probe, Reach
from modellint.runtimes.runtime import Runtime

# Numbers that onnxruntime-qnn 2.7.0 knows chips by (its option `soc_model`), with the names that
# its library prints for them.
CHIPS = {
    "qcs6490": "93",  # QCS6490
    "snapdragon-8-elite": "69",  # SM8750
    "snapdragon-8-gen-2": "43",  # SM8550
    "snapdragon-8-gen-3": "57",  # SM8650
    "snapdragon-x-elite": "60",  # SC8380XP
}
USUAL = "snapdragon-8-gen-3"


def ability(gpu: Gpu) -> str:
    return "compiles for the NPU of a Snapdragon, without one"


def reach(level: Level, device: Device | None, gpu: Gpu) -> Reach | str:
    if device is None:
        return Reach(level, chip=CHIPS[USUAL])
    chip = CHIPS.get(device.id)
    return f"the number of {device.name} is not known" if chip is None else Reach(level, chip=chip)


RUNTIME = Runtime(
    "qnn",
    "Qualcomm's QNN",
    tables=Path(__file__).parent,
    placing=Placing(
        "NPU",
        oldest_opset=7,
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
