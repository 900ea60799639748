"""In the child process: runs a model in LiteRT on the CPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modellint.runtimes.execution import Loaded, SharedInputs, Way


def version() -> str:
    return metadata.version("ai-edge-litert")


def load(path: Path, format: str, way: Way) -> Loaded:
    litert = import_module("ai_edge_litert.interpreter")
    kernels = litert.OpResolverType
    interpreter = litert.Interpreter(
        model_path=str(path),
        num_threads=way.threads,
        experimental_op_resolver_type=kernels.AUTO
        if way.optimized
        else kernels.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=bool(way.captured),
    )
    return _Interpreter(interpreter, way.captured)


class _Interpreter:
    def __init__(self, interpreter: Any, captured: tuple[str, ...]) -> None:
        self._interpreter = interpreter
        self._captured = captured
        self._places = {each["name"]: each for each in interpreter.get_input_details()}
        self._inputs = SharedInputs(list(self._places))

    def run(self, feed: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, NDArray[Any]]]:
        given = self._inputs.arranged(feed)
        for name, array in given.items():
            place = self._places[name]
            if tuple(place["shape"]) != array.shape:
                self._interpreter.resize_tensor_input(place["index"], array.shape)
        self._interpreter.allocate_tensors()
        for name, array in given.items():
            self._interpreter.set_tensor(self._places[name]["index"], np.ascontiguousarray(array))
        self._interpreter.invoke()
        wanted = [(each["name"], each["index"]) for each in self._interpreter.get_output_details()]
        if self._captured:
            inner = {each["name"]: each["index"] for each in self._interpreter.get_tensor_details()}
            wanted += [(name, inner[name]) for name in self._captured if name in inner]
        for name, index in wanted:
            yield name, self._interpreter.get_tensor(index)
