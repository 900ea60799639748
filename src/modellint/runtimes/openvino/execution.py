"""In the child process: runs a model in OpenVINO on the CPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modellint.runtimes.execution import Loaded, SharedInputs, Way


def version() -> str:
    return str(import_module("openvino").__version__)


def load(path: Path, format: str, way: Way) -> Loaded:
    core = import_module("openvino").Core()
    hints = {"INFERENCE_NUM_THREADS": way.threads, "PERFORMANCE_HINT": "LATENCY"}
    if not way.optimized:  # by default it computes in bfloat16 where the CPU can
        hints["INFERENCE_PRECISION_HINT"] = "f32"
    return _Compiled(core.compile_model(core.read_model(str(path)), "CPU", hints))


class _Compiled:
    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._inputs = SharedInputs([each.get_any_name() for each in compiled.inputs])

    def run(self, feed: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, NDArray[Any]]]:
        given = {
            name: np.ascontiguousarray(array) for name, array in self._inputs.arranged(feed).items()
        }
        results = self._compiled(given)
        for index, output in enumerate(self._compiled.outputs):
            names = sorted(output.get_names())
            yield names[0] if names else f"output {index}", results[index]
