"""In the child process: times a program of torch.export in PyTorch."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modellint.benching.backends import Setting
from modellint.profiles import chrome
from modellint.results.measured import RunLayer

MOST_RUNS = 50
TRACE = "trace.json"


def version() -> str:
    return str(import_module("torch").__version__)


def load(
    path: Path, format: str, feed: Mapping[str, NDArray[Any]], setting: Setting
) -> PyTorchModel:
    torch = import_module("torch")
    torch.set_num_threads(setting.threads)
    torch.set_num_interop_threads(1)
    device = setting.provider or ("cuda" if torch.cuda.is_available() else "cpu")
    program = torch.export.load(str(path))
    return PyTorchModel(torch, program, feed, device)


class PyTorchModel:
    """The module of a program, with its inputs on its device."""

    def __init__(
        self, torch: Any, program: Any, feed: Mapping[str, NDArray[Any]], device: str
    ) -> None:
        self._torch, self.provider = torch, device
        self._module = program.module().to(device)
        given = [torch.from_numpy(np.ascontiguousarray(array)) for array in feed.values()]
        self._feed = [tensor.to(device) for tensor in given]

    def run(self) -> None:
        with self._torch.inference_mode():
            self._module(*self._feed)
        if self.provider != "cpu":
            self._torch.cuda.synchronize()

    def layers(self, seconds: float) -> Sequence[RunLayer]:
        profiler = self._torch.profiler
        activities = [profiler.ProfilerActivity.CPU]
        if self.provider != "cpu":
            activities.append(profiler.ProfilerActivity.CUDA)
        began, runs = time.perf_counter(), 0
        plan = profiler.schedule(wait=0, warmup=1, active=MOST_RUNS)
        with profiler.profile(activities=activities, record_shapes=True, schedule=plan) as profile:
            while runs < 4 or (time.perf_counter() < began + seconds and runs < MOST_RUNS):
                self.run()
                profile.step()
                runs += 1
        profile.export_chrome_trace(TRACE)
        part = chrome.read(json.loads(Path(TRACE).read_bytes()), Path(TRACE))
        return part.run.layers if part is not None else ()
