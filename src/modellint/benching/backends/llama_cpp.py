"""In the child process: times a language model in llama.cpp, through xllamacpp.

An inference is a request: a prompt that is not in any cache, and tokens generated after it, one by
one. Sampling takes the most likely token, and goes on after the end of the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from modellint.benching.backends import Setting
from modellint.benching.inputs import GENERATED, PROMPT_INPUT
from modellint.results.measured import RunLayer

_ALL_LAYERS = 999
_SILENT = -1


def version() -> str:
    return f"xllamacpp {metadata.version('xllamacpp')}"


def load(
    path: Path, format: str, feed: Mapping[str, NDArray[Any]], setting: Setting
) -> LlamaCppModel:
    xllamacpp = import_module("xllamacpp")
    prompt = feed[PROMPT_INPUT][0].tolist()
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = len(prompt) + GENERATED
    params.n_parallel = 1
    params.warmup = False
    params.verbosity = _SILENT
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = setting.threads
    gpu = _gpu(xllamacpp, setting.provider)
    params.n_gpu_layers = _ALL_LAYERS if gpu else 0
    return LlamaCppModel(xllamacpp.Server(params), prompt, gpu or "cpu")


def _gpu(xllamacpp: Any, wanted: str | None) -> str | None:
    """Return the name of the device besides the CPU that llama.cpp was built for and finds."""
    if wanted == "cpu":
        return None
    names = [str(each["name"]) for each in xllamacpp.get_device_info()]
    found = [name for name in names if not name.upper().startswith(("CPU", "BLAS"))]
    if wanted is None:
        return next(iter(found), None)
    named = [name for name in found if name.lower().startswith(wanted.lower())]
    if not named:
        raise ValueError(f"llama.cpp finds no device {wanted}; there are {', '.join(names)}")
    return named[0]


class LlamaCppModel:
    """A server with one slot, which is asked the same again and again."""

    def __init__(self, server: Any, prompt: Sequence[int], provider: str) -> None:
        self.provider: str | None = provider
        self._server = server
        self._request = {
            "prompt": list(prompt),
            "n_predict": GENERATED,
            "ignore_eos": True,
            "cache_prompt": False,
            "temperature": 0.0,
            "stream": False,
        }
        self._speeds: list[tuple[float, float]] = []

    def run(self) -> None:
        answers: list[Any] = []
        self._server.handle_completions(self._request, answers.append)
        timings = answers[-1].get("timings") if answers else None
        if not timings:
            raise RuntimeError(f"llama.cpp answered without times: {answers}")
        self._speeds.append((timings["prompt_per_second"], timings["predicted_per_second"]))

    def speeds(self) -> Sequence[tuple[float, float]]:
        """Return the tokens per second, of the prompt and generated, and forget them."""
        found, self._speeds = self._speeds, []
        return found

    def layers(self, seconds: float) -> Sequence[RunLayer]:
        return ()
