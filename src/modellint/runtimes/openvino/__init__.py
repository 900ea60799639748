"""OpenVINO: its name, and how models run in it."""

from modellint.runtimes.execution import Executor
from modellint.runtimes.runtime import Runtime

RUNTIME = Runtime(
    "openvino",
    "OpenVINO",
    executor=Executor(
        f"{__name__}.execution",
        "openvino",
        formats=("openvino",),
        install="pip install openvino",
        captures=False,
    ),
)
