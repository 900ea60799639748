"""Runtimes that models can be timed in: one module each, imported in a child process only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from modellint.base.errors import UsageError
from modellint.base.install import install_command
from modellint.base.modules import is_installed
from modellint.base.records import dataclass
from modellint.base.suggest import did_you_mean
from modellint.targets import HOST, find_target

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from modellint.results.measured import RunLayer


@dataclass(frozen=True, slots=True)
class TimedRuntime:
    """A runtime that can be timed, and the formats that it loads."""

    name: str
    title: str
    code: str
    """Module with the functions of `TimedCode`."""
    module: str
    """The runtime's Python module."""
    formats: tuple[str, ...]
    install: str

    @property
    def is_installed(self) -> bool:
        return is_installed(self.module)


@dataclass(frozen=True, slots=True)
class Setting:
    """Settings of a session."""

    threads: int
    provider: str | None = None


class TimedModel(Protocol):
    """A model with its inputs, ready to run."""

    provider: str | None
    """Provider or delegate that runs most of it, as far as the runtime says."""

    def run(self) -> None:
        """Run one inference, and wait for its end."""

    def layers(self, seconds: float) -> Sequence[RunLayer]:
        """Run for about that long with the runtime's own profiler; empty without one."""


@runtime_checkable
class TimedGeneration(Protocol):
    """A language model whose runtime times the prompt and what is generated apart."""

    def speeds(self) -> Sequence[tuple[float, float]]:
        """Return the tokens per second of both in each inference since the last call."""


class TimedCode(Protocol):
    """Functions that run in a child process. They raise what the runtime raises."""

    def version(self) -> str: ...

    def load(
        self, path: Path, format: str, feed: Mapping[str, NDArray[Any]], setting: Setting
    ) -> TimedModel: ...


BACKENDS = (
    TimedRuntime(
        "onnxruntime",
        "ONNX Runtime",
        f"{__name__}.onnxruntime",
        "onnxruntime",
        ("onnx", "onnx-text", "ort"),
        install_command("ort"),
    ),
    TimedRuntime(
        "tflite",
        "LiteRT",
        f"{__name__}.litert",
        "ai_edge_litert",
        ("tflite",),
        "pip install ai-edge-litert",
    ),
    TimedRuntime(
        "openvino",
        "OpenVINO",
        f"{__name__}.openvino",
        "openvino",
        ("openvino", "onnx", "tflite"),
        "pip install openvino",
    ),
    TimedRuntime(
        "pytorch", "PyTorch", f"{__name__}.pytorch", "torch", ("torch",), "pip install torch"
    ),
    TimedRuntime(
        "llama.cpp",
        "llama.cpp",
        f"{__name__}.llama_cpp",
        "xllamacpp",
        ("gguf",),
        "pip install xllamacpp",
    ),
)
"""In the order in which one is chosen for a format."""
_BY_TRTEXEC = """{title} is timed by its own {tool}, on an NVIDIA GPU{missing}:
  {tool} --{kind}={file} --exportTimes=times.json --exportProfile=profile.json \\
      --exportLayerInfo=layers.json --profilingVerbosity=detailed
  modellint bench {file} --import times.json --import profile.json --import layers.json"""
_TOOLS: Mapping[str, tuple[str, str]] = {
    "tensorrt": ("TensorRT", "trtexec"),
    "tensorrt-rtx": ("TensorRT for RTX", "tensorrt_rtx"),
}
_ENGINE = "tensorrt-engine"


def backend_for(format: str, name: str | None = None) -> TimedRuntime:
    """Return the runtime to time models of a format in; raise UsageError if none can here."""
    if name is not None:
        return _named(format, name)
    able = [each for each in BACKENDS if format in each.formats]
    for each in able:
        if each.is_installed:
            return each
    if format == _ENGINE:
        raise UsageError(_by_trtexec("tensorrt", format))
    if not able:
        raise UsageError(f"models in the format {format} cannot be timed")
    ways = " or ".join(f"{each.title}: {each.install}" for each in able)
    raise UsageError(f"timing models in the format {format} needs {ways}")


def _named(format: str, name: str) -> TimedRuntime:
    known = {each.name: each for each in BACKENDS}
    if name in _TOOLS and format in ("onnx", _ENGINE):
        raise UsageError(_by_trtexec(name, format))
    if name not in known:
        hint = did_you_mean(name, known, f"one of {', '.join(known)}")
        raise UsageError(f"models cannot be timed in {name!r}; {hint}")
    backend = known[name]
    if format not in backend.formats:
        raise UsageError(f"{backend.title} does not load models in the format {format}")
    if not backend.is_installed:
        raise UsageError(f"{backend.title} is not installed: {backend.install}")
    return backend


def _by_trtexec(name: str, format: str) -> str:
    """Return how the tool of TensorRT times a model, and whether its GPU is missing here."""
    title, tool = _TOOLS[name]
    has_gpu = find_target(HOST).compute_capability is not None
    return _BY_TRTEXEC.format(
        title=title,
        tool=tool,
        missing="" if has_gpu else ", which was not found here",
        kind="loadEngine" if format == _ENGINE else "onnx",
        file="model.engine" if format == _ENGINE else "model.onnx",
    )
