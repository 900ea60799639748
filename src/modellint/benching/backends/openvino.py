"""In the child process: times a model in OpenVINO on the CPU."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modellint.benching.backends import Setting
from modellint.profiles.gathering import typical
from modellint.profiles.openvino import is_reformat
from modellint.profiles.types import precision_of
from modellint.results.measured import RunLayer, shown
from modellint.runtimes.execution import SharedInputs


def version() -> str:
    return str(import_module("openvino").__version__)


def load(
    path: Path, format: str, feed: Mapping[str, NDArray[Any]], setting: Setting
) -> OpenVinoModel:
    core = import_module("openvino").Core()
    return OpenVinoModel(core, core.read_model(str(path)), feed, setting)


class OpenVinoModel:
    """A compiled model and one request."""

    def __init__(
        self, core: Any, model: Any, feed: Mapping[str, NDArray[Any]], setting: Setting
    ) -> None:
        self._core, self._model, self._threads = core, model, setting.threads
        self._device = setting.provider or "CPU"
        compiled = self._compiled({})
        names = SharedInputs([each.get_any_name() for each in compiled.inputs])
        self._feed = {
            name: np.ascontiguousarray(array) for name, array in names.arranged(feed).items()
        }
        self._request = compiled.create_infer_request()
        self.provider: str | None = self._device

    def _compiled(self, more: Mapping[str, object]) -> Any:
        hints = {
            "INFERENCE_NUM_THREADS": self._threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",  # by default, bfloat16 where the CPU has it
            **more,
        }
        settings = hints if self._device == "CPU" else dict(more)
        return self._core.compile_model(self._model, self._device, settings)

    def run(self) -> None:
        self._request.infer(self._feed, share_inputs=True, share_outputs=True)

    def layers(self, seconds: float) -> Sequence[RunLayer]:
        request = self._compiled({"PERF_COUNT": True}).create_infer_request()
        request.infer(self._feed)
        taken: dict[str, list[float]] = {}
        last: dict[str, Any] = {}
        end = time.perf_counter() + seconds
        while not taken or time.perf_counter() < end:
            request.infer(self._feed)
            for each in request.get_profiling_info():
                if each.status == each.Status.EXECUTED:
                    taken.setdefault(each.node_name, []).append(each.real_time.total_seconds())
                    last[each.node_name] = each
        return [_layer(last[name], times) for name, times in taken.items()]


def _layer(each: Any, times: Sequence[float]) -> RunLayer:
    return RunLayer(
        name=shown(each.node_name),
        op=shown(each.node_type),
        seconds=typical(times),
        fastest=min(times),
        calls=1.0,
        kind="reformat" if is_reformat(each.node_type) else "compute",
        precision=precision_of(each.exec_type),
        kernel=shown(each.exec_type),
    )
