"""LiteRT's plug-in for Qualcomm's NPU, which runs TFLite files on a Snapdragon."""

from pathlib import Path

from modellint.runtimes.placing import Placing
from modellint.runtimes.probe import Device, Gpu, Level, Probe, Reach
from modellint.runtimes.runtime import Runtime
from modellint.runtimes.tflite import INPUT

INSTALL = "pip install ai-edge-litert onnxruntime-qnn"

# Names that the plug-in knows chips by.
CHIPS = {
    "snapdragon-8-elite": "SM8750",
    "snapdragon-8-gen-2": "SM8550",
    "snapdragon-8-gen-3": "SM8650",
}
USUAL = "SM8650"


def ability(gpu: Gpu) -> str:
    return "shares TFLite files out for the NPU of a Snapdragon, without one (Linux)"


def reach(level: Level, device: Device | None, gpu: Gpu) -> Reach | str:
    if device is None:
        return Reach(level, chip=USUAL)
    chip = CHIPS.get(device.id)
    return f"the plug-in does not know {device.name}" if chip is None else Reach(level, chip=chip)


RUNTIME = Runtime(
    "litert-qualcomm",
    "LiteRT with Qualcomm's NPU",
    input=INPUT,
    tables=Path(__file__).parent,
    placing=Placing(
        "NPU",
        static_only=False,
        dialects=("tflite",),
        source="https://github.com/google-ai-edge/LiteRT/tree/main/litert/vendors/qualcomm",
    ),
    probe=Probe(
        code=f"{__name__}.probe",
        modules=("onnxruntime_qnn",),  # the rarer of the two packages that it needs
        packages=("ai-edge-litert",),
        install=INSTALL,
        ability=ability,
        reach=reach,
        stands_in_for=("qnn",),
        formats=("tflite",),
        environment=Path(__file__).with_name("environment.toml"),
    ),
)
