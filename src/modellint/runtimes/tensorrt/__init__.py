"""TensorRT, whose Python interface TensorRT for RTX shares."""

from pathlib import Path

from modellint.base.install import install_command
from modellint.runtimes.placing import Placing
from modellint.runtimes.probe import Capability, Device, Gpu, Level, Probe, Reach
from modellint.runtimes.runtime import Input, Runtime, RuntimeMemory

# Read from the plans of TensorRT for RTX: see docs/accuracy.md.
MEMORY = RuntimeMemory(
    scratch=8_192_000,
    alignment=512,
    changes_layout=True,
    joins=True,
    computes_constants=True,
    fills_above=100_000,
    ahead_from=1 << 20,
    parallel_work=8_000_000_000,
)

INPUT = Input(
    # Torch-TensorRT compiles PyTorch's exported programs.
    # https://docs.pytorch.org/TensorRT/user_guide/compilation/dynamo_export.html
    ("tensorrt", "torch"),
    "ONNX files and its own engines",
    "Export the model to ONNX, and check that file.",
    "https://docs.nvidia.com/deeplearning/tensorrt/latest/architecture/architecture-overview.html",
    formats=("onnx", "onnx-text"),
    is_end=True,
)


def reach(level: Level, device: Device | None, gpu: Gpu) -> Reach | str:
    """Return how far TensorRT can be probed: it needs a GPU, and builds for that GPU only."""
    here = gpu()
    if here is None:
        return "TensorRT needs an NVIDIA GPU, but none was found"
    wanted = device.compute_capability if device is not None else None
    if level == "build" and wanted is not None and wanted != here:
        here_only = f"TensorRT builds for the GPU it runs on ({dotted(here)})"
        return Reach("parse", note=f"not built: {here_only}, not {dotted(wanted)}")
    return Reach(level)


def ability(gpu: Gpu) -> str:
    here = gpu()
    return f"builds for compute capability {dotted(here)}" if here else "needs an NVIDIA GPU"


def dotted(capability: Capability) -> str:
    return f"{capability[0]}.{capability[1]}"


DLA = Placing(
    "DLA",
    fallback="GPU",
    operators="dla",
    forms="loadables",
    only_on_dla=True,
    most_parts=16,
    source="https://docs.nvidia.com/deeplearning/tensorrt/latest/inference-library/dla-layer-restrictions.html",
)

RUNTIME = Runtime(
    "tensorrt",
    "TensorRT",
    usual_precision="fp16",
    memory=MEMORY,
    tables=Path(__file__).parent,
    input=INPUT,
    placing=DLA,
    probe=Probe(
        code=f"{__name__}.probe",
        modules=("tensorrt", "tensorrt_bindings"),
        packages=("tensorrt", "tensorrt-cu13-bindings", "tensorrt-cu12-bindings"),
        install=install_command("trt"),
        ability=ability,
        reach=reach,
        needs_ranges=True,
        reads_engines=f"{__name__}.inspector",
    ),
)
