"""ExecuTorch, which runs exported programs, with XNNPACK: its delegate for CPUs."""

from collections.abc import Callable
from pathlib import Path

from modellint.runtimes.placing import Placing
from modellint.runtimes.probe import Gpu, Probe
from modellint.runtimes.runtime import Input, Runtime

SOURCE = "https://pypi.org/project/executorch/1.5.1/"

INPUT = Input(
    ("torch",),
    "exported programs of PyTorch",
    "Export the model from PyTorch (`torch.export.save`), and check that program (.pt2).",
    "https://docs.pytorch.org/executorch/stable/using-executorch-export.html",
)


def ability(gpu: Gpu) -> str:
    return "lowers exported programs (.pt2) for XNNPACK, on the CPU"


def placing(unit: str, article: str = "") -> Placing:
    """Return how a delegate shares a program out with ExecuTorch's portable kernels."""
    return Placing(
        unit,
        article=article,
        fallback="portable kernels",
        static_only=False,
        dialects=("torch",),
        grouping="unions",
        source=SOURCE,
    )


def probe(
    code: str,
    ability: Callable[[Gpu], str],
    environment: Path | None = None,
    shares: str = "executorch",
) -> Probe:
    return Probe(
        code=code,
        modules=("executorch",),
        packages=("executorch",),
        install="modellint probe --setup executorch",
        ability=ability,
        formats=("torch",),
        shares=shares,
        environment=environment,
    )


RUNTIME = Runtime(
    "executorch",
    "ExecuTorch with XNNPACK",
    input=INPUT,
    tables=Path(__file__).parent,
    placing=placing("XNNPACK"),
    probe=probe(
        f"{__name__}.probe", ability, Path(__file__).with_name("environment.toml"), shares=""
    ),
)
