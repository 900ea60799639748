"""WebNN in a browser, through ONNX Runtime Web."""

from pathlib import Path

from modellint.runtimes.placing import Placing
from modellint.runtimes.probe import Gpu, Probe
from modellint.runtimes.runtime import Runtime
from modellint.runtimes.webnn.named import named_folder


def ability(gpu: Gpu) -> str:
    return "builds graphs in a browser without a window, on the CPU"


RUNTIME = Runtime(
    "webnn",
    "WebNN",
    loaded_by="onnxruntime",
    tables=Path(__file__).parent,
    placing=Placing(
        "WebNN backend",
        fallback="wasm backend",
        oldest_opset=7,
        converts=False,
        source="https://onnxruntime.ai/docs/tutorials/web/ep-webnn.html",
    ),
    probe=Probe(
        code=f"{__name__}.probe",
        modules=(),
        packages=(),
        install="modellint probe --setup webnn",
        ability=ability,
        environment=Path(__file__).with_name("environment.toml"),
        named_folder=named_folder,
    ),
)
