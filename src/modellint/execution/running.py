"""Runs a model in its runtime: in a child process, with limits of time and memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellint.base.errors import UsageError
from modellint.base.paths import real_path
from modellint.base.records import dataclass
from modellint.base.temporary import temporary_folder
from modellint.probes import CHILD, memory_to_spare
from modellint.probes.runner import Ended, Limits, run_child
from modellint.runtimes import Runtime, runtimes
from modellint.runtimes.execution import Way

if TYPE_CHECKING:
    from modellint.execution.arrays import Arrays

SECONDS = 300.0
AS_WRITTEN = Way()
"""On one thread, without any optimization: the same model gives the same bits every time."""


@dataclass(frozen=True, slots=True)
class Run:
    """Result of a model for one of the inputs it was given."""

    outputs: Arrays
    """By name, including captured values; mapped read-only from files."""
    error: str = ""
    """Reason why there are none."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Execution:
    """Results of a model in its runtime, for all inputs."""

    runtime: str
    """Display name, with the version as far as known."""
    runs: tuple[Run, ...]
    """One for each input, in order."""
    refusal: str = ""
    """Reason why the runtime did not load it, or how the process ended."""
    peak: int | None = None
    """Most memory in bytes that the process was seen to need."""

    @property
    def error(self) -> str:
        """Return the first reason why an output is missing; empty if none is."""
        return self.refusal or next((run.error for run in self.runs if run.error), "")


class NoRuntimeError(UsageError):
    """No runtime is installed that runs models of a format."""


def runtime_for(format: str) -> Runtime:
    """Return the runtime that runs models of a format; raise NoRuntimeError if none can here."""
    able = [
        each
        for each in runtimes().values()
        if each.executor is not None and format in each.executor.formats
    ]
    for runtime in able:
        if runtime.executor is not None and runtime.executor.is_installed:
            return runtime
    if not able:
        raise NoRuntimeError(f"models in the format {format} cannot be run")
    ways = " or ".join(
        f"{each.title}: {each.executor.install}" for each in able if each.executor is not None
    )
    raise NoRuntimeError(f"running the model needs {ways}")


def run(
    path: Path,
    format: str,
    feeds: Sequence[Arrays],
    way: Way = AS_WRITTEN,
    limits: Limits | None = None,
) -> Execution:
    """Run a model on each of several inputs. Returns however it ends."""
    from modellint.execution import arrays

    runtime = runtime_for(format)
    assert runtime.executor is not None
    with temporary_folder() as folder:
        listings = []
        for number, feed in enumerate(feeds):
            place = folder / "in" / str(number)
            place.mkdir(parents=True)
            listings.append(arrays.write(feed.items(), place))
        request = {
            "code": "modellint.execution.child",
            "executor": runtime.executor.code,
            "path": str(real_path(path)),
            "format": format,
            "folder": str(folder),
            "feeds": listings,
            "optimized": way.optimized,
            "threads": way.threads,
            "captured": way.captured,
            "packed": way.packed,
        }
        ended = run_child(CHILD, request, limits or Limits(SECONDS, memory_to_spare()))
        return _execution(runtime, ended, len(feeds), folder)


def _execution(runtime: Runtime, ended: Ended, wanted: int, folder: Path) -> Execution:
    said = ended.answer or {}
    runs = [_run(each, folder / "out" / str(n)) for n, each in enumerate(said.get("runs", ()))]
    refusal = said.get("refusal", "") or ended.detail
    if not refusal and len(runs) != wanted:
        refusal = "it ended before all inputs were run"
    runs += [Run({}, refusal)] * (wanted - len(runs))
    title = f"{runtime.title} {said.get('version', '')}".strip()
    return Execution(title, tuple(runs), refusal, ended.peak)


def _run(said: dict[str, Any], folder: Path) -> Run:
    from modellint.execution import arrays

    if "error" in said:
        return Run({}, said["error"])
    outputs = arrays.read(said["outputs"], folder)
    if os.name != "posix":  # where a mapped file cannot be removed
        outputs = {name: array.copy() for name, array in outputs.items()}
    return Run(outputs, seconds=said["seconds"])
