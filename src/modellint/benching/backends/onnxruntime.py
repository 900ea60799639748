"""In the child process: times a model in ONNX Runtime."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modellint.benching.backends import Setting
from modellint.profiles.onnxruntime import layers_of, provider_of
from modellint.results.measured import RunLayer, shown

MOST_WRITTEN = 1 << 30
"""Size of a model up to which the optimized one is written, for the names of its values."""
OPTIMIZED = "optimized.onnx"
_WEIGHTS = "optimized.bin"
_APART = {
    "session.optimized_model_external_initializers_file_name": _WEIGHTS,
    "session.optimized_model_external_initializers_min_size_in_bytes": "1024",
}
MOST_RUNS = 200
"""Inferences in one profile, of which each event takes half a kilobyte."""
_GPUS = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "ROCMExecutionProvider")


def version() -> str:
    import onnxruntime

    return str(onnxruntime.__version__)


def load(
    path: Path, format: str, feed: Mapping[str, NDArray[Any]], setting: Setting
) -> OnnxRuntimeModel:
    import onnxruntime as ort

    ort.set_default_logger_severity(4)
    content: str | bytes = str(path)
    if format == "onnx-text":
        from modellint.runtimes.onnx_text import binary

        content = binary(str(path))
    return OnnxRuntimeModel(ort, content, path, feed, setting)


class OnnxRuntimeModel:
    """A session, which has its inputs where its provider wants them."""

    def __init__(
        self,
        ort: Any,
        content: str | bytes,
        path: Path,
        feed: Mapping[str, NDArray[Any]],
        setting: Setting,
    ) -> None:
        self._ort, self._content, self._path, self._setting = ort, content, path, setting
        self._session = self._started(profiled=False)
        used = self._session.get_providers()
        self.provider: str | None = used[0] if used else None
        known = {each.name for each in self._session.get_inputs()}
        self._feed = {
            name: array.astype(object) if array.dtype.kind in "US" else np.ascontiguousarray(array)
            for name, array in feed.items()
            if name in known
        }

    def _started(self, *, profiled: bool) -> Any:
        options = self._ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = self._setting.threads
        options.inter_op_num_threads = 1
        options.enable_profiling = profiled
        options.profile_file_prefix = "profile"
        if profiled and self._path.stat().st_size < MOST_WRITTEN:
            options.optimized_model_filepath = OPTIMIZED
            for key, value in _APART.items():
                options.add_session_config_entry(key, value)
        if isinstance(self._content, bytes):
            folder = "session.model_external_initializers_file_folder_path"
            options.add_session_config_entry(folder, str(self._path.parent))
        providers = _providers(self._setting.provider, self._ort.get_available_providers())
        return self._ort.InferenceSession(self._content, options, providers=providers)

    def run(self) -> None:
        self._session.run(None, self._feed)

    def layers(self, seconds: float) -> Sequence[RunLayer]:
        self._session = None  # which has the memory that another one needs
        session = self._started(profiled=True)
        session.run(None, self._feed)
        end, runs = time.perf_counter() + seconds, 0
        while runs < 3 or (time.perf_counter() < end and runs < MOST_RUNS):
            session.run(None, self._feed)
            runs += 1
        profile = Path(session.end_profiling())
        table = json.loads(profile.read_bytes())
        profile.unlink()
        layers = layers_of(table)
        self.provider = provider_of(layers) or self.provider
        return _with_results(layers)


def _with_results(layers: Sequence[RunLayer]) -> Sequence[RunLayer]:
    """Add the values that layers compute, by which nodes are found again."""
    if not Path(OPTIMIZED).exists():
        return layers
    import onnx

    graph = onnx.load(OPTIMIZED, load_external_data=False).graph
    Path(OPTIMIZED).unlink()
    Path(_WEIGHTS).unlink(missing_ok=True)
    results: dict[str, tuple[str, ...]] = {}
    for node in graph.node:
        names = tuple(shown(name) for name in node.output if name)
        results[node.name] = () if node.name in results else names
    return [replace(layer, produces=results.get(layer.name, ())) for layer in layers]


def _providers(wanted: str | None, available: Sequence[str]) -> list[str]:
    """Return the providers of a session; a GPU's by default, where there is one."""
    if wanted is None:
        return [*(each for each in _GPUS if each in available), "CPUExecutionProvider"]
    found = [each for each in available if each.lower().startswith(wanted.lower())]
    if not found:
        raise ValueError(f"no provider {wanted}; there are {', '.join(available)}")
    return [*found, *(["CPUExecutionProvider"] if found != ["CPUExecutionProvider"] else [])]
