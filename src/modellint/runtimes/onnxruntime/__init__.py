"""ONNX Runtime."""

from pathlib import Path

from modellint.base.install import install_command
from modellint.runtimes.execution import Executor
from modellint.runtimes.optimizer import Optimizer
from modellint.runtimes.placing import Placing
from modellint.runtimes.probe import Gpu, Probe
from modellint.runtimes.runtime import Input, Loading, Runtime, RuntimeMemory


def ability(gpu: Gpu) -> str:
    return "creates sessions on the CPU and on the GPU providers it was built with"


RUNTIME = Runtime(
    "onnxruntime",
    "ONNX Runtime",
    # It fuses little besides activations into convolutions, and allocates from an arena.
    memory=RuntimeMemory(
        fuses=False,
        fuses_attention=False,
        branches=False,
        blocks_channels=True,
        alignment=256,
        in_place=True,
        fits_best=True,
        recycles=True,
    ),
    # It turns Constant nodes into initializers, and keeps one of several with the same name.
    # It looks at nodes by following values, as seen in 1.32 with operators of any name.
    loading=Loading(
        unique_node_names=True,
        tolerates=frozenset({"duplicate-initializer", "duplicate-constant"}),
        skips_unwired=True,
    ),
    input=Input(
        ("onnx",),
        "ONNX files and its own (.ort)",
        "Export or convert the model to ONNX (`python -m tf2onnx.convert` converts TensorFlow's and"
        " TFLite files), and check that file.",
        "https://onnxruntime.ai/docs/performance/model-optimizations/ort-format-models.html",
        is_end=True,
        if_named=True,
    ),
    tables=Path(__file__).parent,
    measured_on_cpu=True,
    probe=Probe(
        code=f"{__name__}.probe",
        modules=("onnxruntime",),
        packages=(
            "onnxruntime",
            "onnxruntime-gpu",
            "onnxruntime-openvino",
            "onnxruntime-directml",
        ),
        install=install_command("ort"),
        ability=ability,
        asked_by_default=True,
    ),
    optimizer=Optimizer("ort", f"{__name__}.optimizer", install_command("ort")),
    placing=Placing(
        "GPU",
        static_only=False,
        converts=False,
        kernels="gpukernels",
        forms="gpuforms",
        only_on_cuda=True,
        source="https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html",
    ),
    executor=Executor(
        f"{__name__}.execution",
        "onnxruntime",
        formats=("onnx", "onnx-text", "ort"),
        install=install_command("ort"),
    ),
)
