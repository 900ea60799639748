"""In the child process: times a model in LiteRT on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modellint.benching.backends import Setting
from modellint.results.measured import RunLayer
from modellint.runtimes.execution import SharedInputs


def version() -> str:
    return metadata.version("ai-edge-litert")


def load(
    path: Path, format: str, feed: Mapping[str, NDArray[Any]], setting: Setting
) -> LiteRtModel:
    litert = import_module("ai_edge_litert.interpreter")
    return LiteRtModel(litert.Interpreter(model_path=str(path), num_threads=setting.threads), feed)


class LiteRtModel:
    """An interpreter whose tensors are allocated; its Python API has no profiler."""

    def __init__(self, interpreter: Any, feed: Mapping[str, NDArray[Any]]) -> None:
        self.provider: str | None = "CPU"
        self._interpreter = interpreter
        places = {each["name"]: each for each in interpreter.get_input_details()}
        given = SharedInputs(list(places)).arranged(feed)
        for name, array in given.items():
            if tuple(places[name]["shape"]) != array.shape:
                interpreter.resize_tensor_input(places[name]["index"], array.shape)
        interpreter.allocate_tensors()
        for name, array in given.items():
            interpreter.set_tensor(places[name]["index"], np.ascontiguousarray(array))

    def run(self) -> None:
        self._interpreter.invoke()

    def layers(self, seconds: float) -> Sequence[RunLayer]:
        return ()
