"""Arm's Ethos-U NPUs, which run what the compiler Vela makes of a TFLite file."""

from pathlib import Path

from modellint.runtimes.placing import Placing
from modellint.runtimes.probe import Device, Gpu, Level, Probe, Reach
from modellint.runtimes.runtime import Runtime
from modellint.runtimes.tflite import INTEGERS

INSTALL = "pip install ethos-u-vela"
SOURCE = "https://gitlab.arm.com/artificial-intelligence/ethos-u/ethos-u-vela"

# Vela's names of accelerators, by device.
CHIPS = {
    "alif-ensemble-e7": "ethos-u55-256",
    "alif-ensemble-e8": "ethos-u85-256",
    "corstone-300": "ethos-u55-128",
    "imx93": "ethos-u65-256",
}


def ability(gpu: Gpu) -> str:
    return "compiles TFLite files for an Ethos-U NPU, without one"


def reach(level: Level, device: Device | None, gpu: Gpu) -> Reach | str:
    if device is None:
        return Reach(level, chip="ethos-u65-256")
    chip = CHIPS.get(device.id)
    return f"the NPU of {device.name} is not known" if chip is None else Reach(level, chip=chip)


PROBE = Probe(
    code=f"{__name__}.probe",
    modules=("ethosu",),
    packages=("ethos-u-vela",),
    install=INSTALL,
    ability=ability,
    reach=reach,
    stands_in_for=("ethos-u85",),
    formats=("tflite",),
    environment=Path(__file__).with_name("environment.toml"),
)
PLACING = Placing("NPU", static_only=False, fixes_batch=True, dialects=("tflite",), source=SOURCE)
RUNTIME = Runtime(
    "ethos-u",
    "Arm Ethos-U",
    input=INTEGERS,
    tables=Path(__file__).parent,
    placing=PLACING,
    probe=PROBE,
)
