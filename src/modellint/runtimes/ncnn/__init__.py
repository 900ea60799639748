"""ncnn, which loads models that its tool pnnx has converted."""

from pathlib import Path

from modellint.runtimes.placing import Placing
from modellint.runtimes.probe import Gpu, Probe
from modellint.runtimes.runtime import Runtime


def ability(gpu: Gpu) -> str:
    return "converts ONNX models with pnnx, and loads ncnn's own"


RUNTIME = Runtime(
    "ncnn",
    "ncnn",
    tables=Path(__file__).parent,
    # On GPUs with Vulkan, once `opt.use_vulkan_compute` is on.
    placing=Placing(
        "GPU",
        static_only=False,
        converts=False,
        dialects=("ncnn",),
        grouping="epochs",
        source="https://github.com/Tencent/ncnn/tree/20261020/src/layer/vulkan",
    ),
    probe=Probe(
        code=f"{__name__}.probe",
        modules=("ncnn",),
        packages=("ncnn",),
        install="modellint probe --setup ncnn",
        ability=ability,
        formats=("onnx", "onnx-text", "ncnn"),
        environment=Path(__file__).with_name("environment.toml"),
    ),
)
