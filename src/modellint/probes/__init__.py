"""Probing of models with real runtimes, in a child process with limits, and cached.

Probes are the only part of modellint that runs code that may crash on a model, so they never run
in this process, and only on request.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from modellint.base.errors import reason_of
from modellint.base.records import dataclass
from modellint.base.standins import fill
from modellint.base.version import __version__
from modellint.model import Model
from modellint.probes.backends import (
    AUTO,
    Availability,
    Backend,
    Choice,
    UnknownProbe,
    available,
    backend_of,
    choose,
    known_backends,
    not_about,
    require,
)
from modellint.probes.installations import OWN_CHILD as CHILD
from modellint.probes.installations import Installation
from modellint.probes.outcome import Figures, Outcome
from modellint.runtimes.probe import Level, Remark
from modellint.targets.deployment import Deployment

TIMEOUT = 300.0


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """Options of the probes of a run."""

    backend: str = AUTO
    level: Level = "build"
    timeout: float = TIMEOUT
    """Time limit of a probe, in seconds."""
    memory: int | None = None
    """Memory limit of a probe, in bytes."""
    workspace: int | None = None
    """Workspace limit for the compiler in bytes; by default all of the device's memory."""
    save_engines: Path | None = None
    """Folder in which to keep built engines."""
    cache: Path | None = None
    """Cache folder of outcomes."""
    pythons: Mapping[str, str] = field(default_factory=dict)
    """Interpreters that the user named, by runtime."""
    versions: tuple[str, ...] = ()
    """Versions of the installed runtimes, which affect outcomes."""
    recorded: Outcome | None = None
    """Recorded outcome to use instead of probing."""


Listener = Callable[[str, float], None]
_listener: Listener | None = None


def listen(listener: Listener | None) -> None:
    """Call `listener` several times a second with the running probe and its elapsed time."""
    global _listener
    _listener = listener


def memory_to_spare() -> int | None:
    """Return three quarters of this machine's memory, if known."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 3 // 4
    except (AttributeError, ValueError, OSError):
        return None


def installed_versions(pythons: Mapping[str, str]) -> tuple[str, ...]:
    """Return the name, version and place of every runtime that can be probed."""
    found = ((name, backend_of(name, pythons).installation) for name in known_backends())
    return tuple(f"{name} {at.version} in {at.python}" for name, at in found if at is not None)


def probe(model: Model, deployment: Deployment, request: ProbeRequest) -> Outcome:
    """Probe a model with a runtime. Returns even if the runtime crashes."""
    if request.recorded is not None:
        return request.recorded
    target = deployment.target_id
    choice = _unfit(model) or choose(
        request.backend, request.level, deployment, request.pythons, model.format
    )
    if isinstance(choice, Choice) and model.format not in choice.backend.probe.formats:
        choice = not_about([choice.backend], model.format)
    if isinstance(choice, str):
        return Outcome("unanswered", target=target, detail=choice)
    trouble = _not_here(model)
    if trouble:
        return Outcome("unanswered", target=target, detail=trouble)
    question = _question(model, deployment, choice, request)
    outcome = _remembered(model, question, choice, request)
    capability = choice.reach.capability
    return replace(
        outcome,
        detail=outcome.detail or question.note,
        remarks=question.remarks + outcome.remarks,
        profiles=question.request["profiles"],
        backend=choice.backend.name,
        version=outcome.version or question.installation.version,
        target=target,
        capability=".".join(map(str, capability)) if capability else None,
    )


def _not_here(model: Model) -> str:
    """Have the model's files here, which may be elsewhere; return the reason if that fails."""
    try:
        fill([model.path, *model.external_files])
    except OSError as error:
        return reason_of(error)
    return ""


def _unfit(model: Model) -> str:
    """Return the reason why a model cannot be probed; empty if it can."""
    if any(each.fatal for each in model.problems):
        return "the file cannot be read"
    readable = {name for each in known_backends().values() for name in each.probe.formats}
    if model.format not in readable:
        return f"no runtime can be asked about {model.format} files"
    if not model.has_graph:
        return "the file cannot be read"
    outside = any(each.kind in ("external-outside", "lfs-pointer") for each in model.problems)
    return "it refers to weights outside its folder" if outside else ""


@dataclass(frozen=True, slots=True)
class _Question:
    """A request to the child process, and facts found while creating it."""

    installation: Installation
    request: dict[str, Any]
    remarks: tuple[Remark, ...]
    note: str


def _question(
    model: Model, deployment: Deployment, choice: Choice, request: ProbeRequest
) -> _Question:
    from modellint.probes.profiles import profiles, sizes

    level, note, remarks, ranges = choice.reach.level, choice.reach.note, [], {}
    if choice.backend.probe.needs_ranges and level == "build":
        found = profiles(model, deployment)
        remarks, ranges = found.remarks, found.ranges
        if remarks:
            invalid = any(remark.kind == "profile-invalid" for remark in remarks)
            trouble = (
                "the configured shapes do not fit it" if invalid else "its input shapes are open"
            )
            level, note = "parse", f"not built: {trouble}"
    installation = choice.backend.installation
    assert installation is not None
    asked = {
        "code": choice.backend.probe.code,
        "module": installation.module,
        "folder": installation.folder,
        "path": str(model.path.absolute()),
        "format": model.format,
        "level": level,
        "capability": choice.reach.capability,
        "chip": choice.reach.chip,
        "precision": deployment.precision,
        "quantized": any(model.nodes("QuantizeLinear", "DequantizeLinear", functions=True)),
        "workspace": request.workspace,
        "profiles": ranges,
        "symbols": sizes(model, deployment),
        "on_cuda": deployment.is_on_cuda,
        "weight_bytes": model.weight_bytes,
        "save_engine": _engine_file(model, deployment, request),
    }
    return _Question(installation, asked, tuple(remarks), note)


def _engine_file(model: Model, deployment: Deployment, request: ProbeRequest) -> str | None:
    if request.save_engines is None:
        return None
    name = f"{model.path.stem}.{deployment.target_id or 'here'}.engine"
    return str((request.save_engines / name).absolute())


def _remembered(
    model: Model, question: _Question, choice: Choice, request: ProbeRequest
) -> Outcome:
    if request.cache is None or request.save_engines is not None:
        return _ask(model, question, choice.backend, request)
    from modellint.probes import cache

    # Neither paths nor limits affect the answer.
    asked = {key: value for key, value in question.request.items() if key not in ("path", "folder")}
    name = cache.key(
        [model.path, *model.external_files],
        {**asked, "version": question.installation.version, "modellint": __version__},
    )
    known = cache.load(request.cache, name)
    if known is not None:
        return known
    outcome = _ask(model, question, choice.backend, request)
    cache.store(request.cache, name, outcome)
    return outcome


def _ask(model: Model, question: _Question, backend: Backend, request: ProbeRequest) -> Outcome:
    from modellint.probes.outcome import from_json
    from modellint.probes.runner import Limits, run_child

    def tick(seconds: float) -> None:
        if _listener is not None:
            _listener(f"{model.path.name} on {backend.title}", seconds)

    command = question.installation.command(backend.probe.code)
    with _in_binary(question) as asked:
        ended = run_child(command, asked, Limits(request.timeout, request.memory), tick)
    try:
        outcome = from_json(ended.answer or {"status": ended.death})
    except ValueError as error:
        outcome = Outcome("garbage", detail=f"invalid answer: {error}")
    if ended.death is not None and outcome.status != "refused":
        outcome = replace(outcome, status=ended.death, detail=ended.detail)
    return replace(
        outcome,
        level=question.request["level"] if outcome.died else outcome.level,
        figures=replace(outcome.figures, peak_bytes=ended.peak),
    )


@contextmanager
def _in_binary(question: _Question) -> Iterator[dict[str, Any]]:
    """Convert ONNX text for another interpreter, which may lack the onnx package."""
    asked = question.request
    if asked["format"] != "onnx-text" or question.installation.is_own:
        yield asked
        return
    from modellint.base.temporary import temporary_folder
    from modellint.runtimes.onnx_text import binary

    with temporary_folder() as folder:
        path = folder / "model.onnx"
        path.write_bytes(binary(asked["path"]))
        yield {**asked, "path": str(path), "format": "onnx"}


__all__ = [
    "AUTO",
    "CHILD",
    "Availability",
    "Figures",
    "Outcome",
    "ProbeRequest",
    "Remark",
    "UnknownProbe",
    "available",
    "installed_versions",
    "known_backends",
    "listen",
    "memory_to_spare",
    "probe",
    "require",
]
