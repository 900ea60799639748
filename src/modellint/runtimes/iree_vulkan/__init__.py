"""IREE with Vulkan, which compiles ONNX models for GPUs."""

from modellint.runtimes import iree
from modellint.runtimes.probe import Gpu
from modellint.runtimes.runtime import Runtime


def ability(gpu: Gpu) -> str:
    return "compiles ONNX models for GPUs with Vulkan, without one"


RUNTIME = Runtime(
    "iree-vulkan",
    "IREE with Vulkan",
    loading=iree.LOADING,
    tables=iree.RUNTIME.tables,
    probe=iree.iree_probe(f"{__name__}.probe", ability),
)
