"""Rockchip's RKNN: the NPU of its chips."""

from pathlib import Path

from modellint.runtimes.placing import Placing
from modellint.runtimes.probe import Device, Gpu, Level, Probe, Reach
from modellint.runtimes.runtime import Runtime

# The names that RKNN-Toolkit2 2.5.0 knows chips by (its option `target_platform`).
CHIPS = {
    "rk3562": "rk3562",
    "rk3566": "rk3566",
    "rk3568": "rk3568",
    "rk3576": "rk3576",
    "rk3588": "rk3588",
    "rv1103": "rv1103",
    "rv1106": "rv1106",
    "rv1126b": "rv1126b",
}
USUAL = "rk3588"


def ability(gpu: Gpu) -> str:
    return "builds for the NPU of a Rockchip chip, without one"


def reach(level: Level, device: Device | None, gpu: Gpu) -> Reach | str:
    if device is None:
        return Reach(level, chip=CHIPS[USUAL])
    chip = CHIPS.get(device.id)
    return f"{device.name} is not a chip that it knows" if chip is None else Reach(level, chip=chip)


RUNTIME = Runtime(
    "rknn",
    "Rockchip's RKNN",
    tables=Path(__file__).parent,
    quantizes=True,
    placing=Placing("NPU", adds_layouts=True, source="https://github.com/airockchip/rknn-toolkit2"),
    probe=Probe(
        code=f"{__name__}.probe",
        modules=("rknn",),
        packages=("rknn-toolkit2",),
        install="modellint probe --setup rknn",
        ability=ability,
        reach=reach,
        environment=Path(__file__).with_name("environment.toml"),
    ),
)
