"""ExecuTorch with Vulkan, which runs exported programs on the GPUs of phones."""

from pathlib import Path

from modellint.runtimes.executorch import INPUT, placing, probe
from modellint.runtimes.probe import Gpu
from modellint.runtimes.runtime import Runtime


def ability(gpu: Gpu) -> str:
    return "lowers exported programs (.pt2) for Vulkan, without a GPU"


RUNTIME = Runtime(
    "executorch-vulkan",
    "ExecuTorch with Vulkan",
    input=INPUT,
    tables=Path(__file__).parent,
    probe=probe(f"{__name__}.probe", ability),
    placing=placing("GPU", "the "),
)
