"""ExecuTorch with Core ML, which runs exported programs on Apple's devices."""

from pathlib import Path

from modellint.runtimes.executorch import INPUT, placing, probe
from modellint.runtimes.probe import Gpu
from modellint.runtimes.runtime import Runtime


def ability(gpu: Gpu) -> str:
    return "lowers exported programs (.pt2) for Core ML, as far as Linux and macOS go"


RUNTIME = Runtime(
    "executorch-coreml",
    "ExecuTorch with Core ML",
    input=INPUT,
    tables=Path(__file__).parent,
    probe=probe(f"{__name__}.probe", ability),
    placing=placing("Core ML"),
)
