"""TensorRT for RTX: TensorRT's builder for consumer GPUs, which builds without a GPU."""

from dataclasses import replace
from pathlib import Path

from modellint.base.install import install_command
from modellint.runtimes import tensorrt
from modellint.runtimes.probe import Device, Gpu, Level, Probe, Reach
from modellint.runtimes.runtime import Runtime
from modellint.runtimes.tensorrt import dotted

CAPABILITIES = ((7, 5), (8, 0), (8, 6), (8, 9), (12, 0), (12, 1))
"""Compute capabilities it builds for: the members of its `ComputeCapability`."""
_KNOWN = ", ".join(map(dotted, CAPABILITIES))
# Read from the layers that version 1.7.1.116 lists in its verbose log: see docs/accuracy.md.
MEMORY = replace(tensorrt.MEMORY, gathers=True, widens_products=True, packs_channels=4)


def reach(level: Level, device: Device | None, gpu: Gpu) -> Reach:
    """Return how far it can be probed: it parses for any target, and builds for some."""
    if level == "parse":
        return Reach(level)
    if device is None:
        return Reach("parse", note="not built: no target given (--target)")
    wanted = device.compute_capability
    if wanted is None:
        return Reach("parse", note=f"not built: {device.name} is not a CUDA device")
    if wanted not in CAPABILITIES:
        limit = f"TensorRT for RTX builds for compute capability {_KNOWN}"
        return Reach("parse", note=f"not built: {limit}, not {dotted(wanted)}")
    return Reach(level, wanted)


def ability(gpu: Gpu) -> str:
    return f"builds for compute capability {_KNOWN}, without a GPU"


RUNTIME = Runtime(
    "tensorrt-rtx",
    "TensorRT for RTX",
    usual_precision="fp16",
    builder="tensorrt",
    memory=MEMORY,
    input=tensorrt.INPUT,
    tables=Path(__file__).parent,
    probe=Probe(
        code=f"{tensorrt.__name__}.probe",
        modules=("tensorrt_rtx", "tensorrt_rtx_bindings"),
        packages=("tensorrt-rtx", "tensorrt-rtx-cu13-bindings", "tensorrt-rtx-cu12-bindings"),
        install=install_command("trt-rtx"),
        ability=ability,
        reach=reach,
        stands_in_for=("tensorrt",),
        needs_ranges=True,
        asked_by_default=True,
        reads_engines=f"{tensorrt.__name__}.inspector",
    ),
)
