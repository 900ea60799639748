"""The layers of an engine, from the inspector of the runtime that wrote it. It needs a GPU."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from modellint.base.errors import UsageError
from modellint.probes.backends import TENSORRT, TENSORRT_RTX

TIMEOUT = 300.0
Tell = Callable[[dict[str, Any]], None]


def exported_layers(engine: Path, writer: str, folder: Path) -> Path:
    """A file of the engine's layers, as trtexec would write it; `writer` is from its header."""
    from modellint.probes import CHILD, memory_to_spare
    from modellint.probes.runner import Limits, run_child

    backend = TENSORRT_RTX if writer == TENSORRT_RTX.title else TENSORRT
    if backend.module is None:
        raise UsageError(
            f"{engine} was written by {writer}, which is not installed: {backend.install}"
        )
    request = {"code": __name__, "module": backend.module, "path": str(engine.absolute())}
    ended = run_child(CHILD, request, Limits(TIMEOUT, memory_to_spare()))
    said = ended.answer or {}
    if "layers" not in said:
        reason = said.get("reason") or ended.detail or "it gives no reason"
        raise UsageError(f"{writer} cannot read {engine}: {reason}")
    with tempfile.NamedTemporaryFile(
        "w", suffix=".json", dir=folder, delete=False, encoding="utf-8"
    ) as file:
        file.write(str(said["layers"]))
    return Path(file.name)


def answer(request: dict[str, Any], tell: Tell) -> None:
    """In the child process: load the engine, and ask its inspector."""
    from modellint.probes import tensorrt_log as log
    from modellint.probes.tensorrt import logger_for

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
