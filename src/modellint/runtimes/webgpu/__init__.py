"""WebGPU in a browser, through ONNX Runtime Web."""

from pathlib import Path

from modellint.runtimes.placing import Placing
from modellint.runtimes.probe import Gpu, Probe
from modellint.runtimes.runtime import Runtime
from modellint.runtimes.webnn.named import named_folder


def ability(gpu: Gpu) -> str:
    return "creates sessions in a browser without a window, on an emulated GPU"


RUNTIME = Runtime(
    "webgpu",
    "WebGPU",
    tables=Path(__file__).parent,
    placing=Placing(
        "GPU",
        fallback="wasm backend",
        static_only=False,
        converts=False,
        oldest_opset=7,
        kernels="gpukernels",
        api="WebGPU",
        keeps_shapes=False,
        source="https://onnxruntime.ai/docs/tutorials/web/ep-webgpu.html",
    ),
    probe=Probe(
        code=f"{__name__}.probe",
        modules=(),
        packages=(),
        install="modellint probe --setup webnn",
        ability=ability,
        shares="webnn",
        named_folder=named_folder,
    ),
)
