"""In the child process: reads an engine's layers with TensorRT's inspector. Needs a GPU."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from modellint.runtimes.probe import Tell
from modellint.runtimes.tensorrt import log
from modellint.runtimes.tensorrt.probe import logger_for


def answer(request: dict[str, Any], tell: Tell) -> None:
    """Load the engine and run its inspector."""
    trt = import_module(request["module"])
    lines: list[log.Line] = []
    logger = logger_for(trt, lines)
    runtime = trt.Runtime(logger)
    engine = runtime.deserialize_cuda_engine(Path(request["path"]).read_bytes())
    if engine is None:
        without_gpu = any("cudaError" in text for _, text in lines)
        tell({"reason": "it needs a GPU" if without_gpu else log.build_failure(lines).text})
        return
    inspector = engine.create_engine_inspector()
    tell({"layers": inspector.get_engine_information(trt.LayerInformationFormat.JSON)})
