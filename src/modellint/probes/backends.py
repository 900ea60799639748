"""The runtimes that can be asked, whether they are installed here, and which fits a deployment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata, util

from modellint.base.errors import UsageError
from modellint.probes.outcome import Level
from modellint.targets.deployment import Deployment
from modellint.targets.target import Target

RTX_CAPABILITIES = ((7, 5), (8, 0), (8, 6), (8, 9), (12, 0), (12, 1))
"""What TensorRT for RTX builds for, as the members of its `ComputeCapability` say."""


@dataclass(frozen=True, slots=True)
class Backend:
    """One runtime: what it is called, where its Python module comes from, what it answers for."""

    name: str
    title: str
    extra: str
    modules: tuple[str, ...]
    """The same module under the names it has, depending on which wheels are installed."""
    packages: tuple[str, ...]
    """Those that may tell its version without its being imported."""
    code: str
    """The module of the child process that asks it."""
    runtimes: tuple[str, ...]
    """Deployment runtimes that its word is good for."""

    @property
    def module(self) -> str | None:
        """The name it can be imported by here."""
        return next((name for name in self.modules if _is_there(name)), None)

    @property
    def version(self) -> str:
        for package in self.packages:
            try:
                return metadata.version(package)
            except metadata.PackageNotFoundError:
                continue
        return ""

    @property
    def install(self) -> str:
        return f"pip install 'modellint[{self.extra}]'"


ONNXRUNTIME = Backend(
    "onnxruntime", "ONNX Runtime", "ort",
    modules=("onnxruntime",),
    packages=("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml"),
    code="modellint.probes.ort",
    runtimes=("onnxruntime",),
)  # fmt: skip
TENSORRT = Backend(
    "tensorrt", "TensorRT", "trt",
    modules=("tensorrt", "tensorrt_bindings"),
    packages=("tensorrt", "tensorrt-cu13-bindings", "tensorrt-cu12-bindings"),
    code="modellint.probes.tensorrt",
    runtimes=("tensorrt",),
)  # fmt: skip
TENSORRT_RTX = Backend(
    "tensorrt-rtx", "TensorRT for RTX", "trt-rtx",
    modules=("tensorrt_rtx", "tensorrt_rtx_bindings"),
    packages=("tensorrt-rtx", "tensorrt-rtx-cu13-bindings", "tensorrt-rtx-cu12-bindings"),
    code="modellint.probes.tensorrt",
    runtimes=("tensorrt-rtx", "tensorrt"),
)  # fmt: skip
BACKENDS = {backend.name: backend for backend in (TENSORRT, TENSORRT_RTX, ONNXRUNTIME)}
"""The best first: for a `tensorrt` deployment, TensorRT itself goes before TensorRT for RTX."""
AUTO = "auto"


def _is_there(module: str) -> bool:
    try:
        return util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is asked, how far, and what is not asked because nobody here could answer."""

    backend: Backend
    level: Level
    capability: tuple[int, int] | None = None
    note: str = ""


def choose(name: str, level: Level, deployment: Deployment) -> Choice | str:
    """The best installed backend for a deployment, or why there is none."""
    if name != AUTO:
        return _choice(BACKENDS[name], level, deployment)
    if deployment.runtime is None and deployment.target is None:
        order: Sequence[Backend] = (ONNXRUNTIME, TENSORRT_RTX)
    else:
        order = [each for each in BACKENDS.values() if deployment.runtime in each.runtimes]
    if not order:
        return f"there is no probe for the runtime {deployment.runtime!r}"
    answers = [_choice(backend, level, deployment) for backend in order if backend.module]
    choices = [answer for answer in answers if isinstance(answer, Choice)]
    deepest = max(choices, key=lambda choice: choice.level == level, default=None)
    if deepest is not None:
        return deepest
    if answers:
        return "; ".join(answer for answer in answers if isinstance(answer, str))
    missing = " or ".join(f"{backend.title} ({backend.install})" for backend in order)
    return f"nothing is installed that could be asked about {deployment.describe()}: {missing}"


def _choice(backend: Backend, level: Level, deployment: Deployment) -> Choice | str:
    target = deployment.target
    if backend is TENSORRT:
        return _tensorrt(level, target)
    if backend is TENSORRT_RTX:
        return _tensorrt_rtx(level, target)
    return Choice(backend, level)


def _tensorrt(level: Level, target: Target | None) -> Choice | str:
    """It needs a GPU even to begin, and builds for that GPU alone."""
    here = gpu_capability()
    if here is None:
        return "TensorRT needs an NVIDIA GPU, and there is none here"
    wanted = target.compute_capability if target is not None else None
    if level == "build" and wanted is not None and wanted != here:
        note = f"not built: TensorRT builds for the GPU it runs on ({_dotted(here)}), not {_dotted(wanted)}"  # noqa: E501
        return Choice(TENSORRT, "parse", None, note)
    return Choice(TENSORRT, level, None)


def _tensorrt_rtx(level: Level, target: Target | None) -> Choice:
    """It parses for any target, and builds for the compute capabilities it names."""
    if level == "parse":
        return Choice(TENSORRT_RTX, level)
    if target is None:
        return Choice(TENSORRT_RTX, "parse", note="not built: no target is named (--target)")
    wanted = target.compute_capability
    if wanted is None:
        return Choice(TENSORRT_RTX, "parse", note=f"not built: {target.name} is no CUDA device")
    if wanted not in RTX_CAPABILITIES:
        known = ", ".join(map(_dotted, RTX_CAPABILITIES))
        note = f"not built: TensorRT for RTX builds for compute capability {known}, not {_dotted(wanted)}"  # noqa: E501
        return Choice(TENSORRT_RTX, "parse", note=note)
    return Choice(TENSORRT_RTX, level, wanted)


def _dotted(capability: tuple[int, int]) -> str:
    return f"{capability[0]}.{capability[1]}"


@cache
def gpu_capability() -> tuple[int, int] | None:
    """The compute capability of this machine's first NVIDIA GPU."""
    from modellint.targets.host import host_target

    return host_target().compute_capability


def require(name: str) -> None:
    """Refuse a backend that is unknown or not installed, with what to do about it."""
    if name == AUTO:
        if not any(backend.module for backend in BACKENDS.values()):
            ways = ", ".join(f"{each.install} for {each.title}" for each in BACKENDS.values())
            raise UsageError(f"there is no runtime here to probe with: {ways}")
        return
    backend = BACKENDS.get(name)
    if backend is None:
        raise UsageError(f"unknown probe {name!r}; there are {', '.join((AUTO, *BACKENDS))}")
    if backend.module is None:
        raise UsageError(f"{backend.title} is not installed: {backend.install}")


@dataclass(frozen=True, slots=True)
class Availability:
    """What `doctor` says of one backend."""

    backend: Backend
    version: str | None
    """None when it is not installed."""
    detail: str


def available() -> list[Availability]:
    """What can be probed here, and what it would take to probe more."""
    return [_availability(backend) for backend in BACKENDS.values()]


def _availability(backend: Backend) -> Availability:
    if backend.module is None:
        return Availability(backend, None, f"not installed: {backend.install}")
    version = backend.version or "unknown version"
    if backend is TENSORRT:
        here = gpu_capability()
        detail = f"builds for compute capability {_dotted(here)}" if here else "needs an NVIDIA GPU"
    elif backend is TENSORRT_RTX:
        known = ", ".join(map(_dotted, RTX_CAPABILITIES))
        detail = f"builds for compute capability {known}, without a GPU"
    else:
        detail = "makes sessions on the CPU, and on the GPU providers it was built with"
    return Availability(backend, version, detail)
