"""IREE, which compiles ONNX models by way of MLIR, here for CPUs."""

from collections.abc import Callable
from pathlib import Path

from modellint.runtimes.probe import Gpu, Probe
from modellint.runtimes.runtime import Loading, Runtime

LOADING = Loading(by_type_alone=True)


def ability(gpu: Gpu) -> str:
    return "compiles ONNX models for CPUs, x86-64 and AArch64"


def iree_probe(
    code: str,
    ability: Callable[[Gpu], str],
    environment: Path | None = None,
    shares: str = "iree",
) -> Probe:
    return Probe(
        code=code,
        modules=("iree.compiler",),
        packages=("iree-base-compiler",),
        install="modellint probe --setup iree",
        ability=ability,
        shares=shares,
        environment=environment,
    )


RUNTIME = Runtime(
    "iree",
    "IREE",
    loading=LOADING,
    tables=Path(__file__).parent,
    probe=iree_probe(
        f"{__name__}.probe", ability, Path(__file__).with_name("environment.toml"), shares=""
    ),
)
