"""Interface for probing a runtime: its package's description and its child process's answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, Protocol

from modellint.base.records import dataclass

Level = Literal["parse", "build"]
Capability = tuple[int, int]
"""A CUDA compute capability."""
Gpu = Callable[[], Capability | None]
"""Returns this machine's GPU."""
Tell = Callable[[dict[str, Any]], None]
"""Reports an answer to the parent process; a later one replaces it."""


class Device(Protocol):
    """Facts about a target that a runtime may need."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def aliases(self) -> tuple[str, ...]: ...
    @property
    def compute_capability(self) -> Capability | None: ...


@dataclass(frozen=True, slots=True)
class Reach:
    """Depth to which a runtime can be probed here for a device."""

    level: Level
    capability: Capability | None = None
    """Compute capability to build for, if not this machine's."""
    note: str = ""
    """Reason for not probing deeper."""
    chip: str = ""
    """The runtime's own name of the chip to compile for."""


def full_reach(level: Level, device: Device | None, gpu: Gpu) -> Reach | str:
    """Return the full level, for a runtime without restrictions."""
    return Reach(level)


@dataclass(frozen=True, slots=True)
class NamedFolder:
    """A folder that the user names, with what a probe needs, instead of one set up."""

    path: str
    version: str
    """Version of the runtime in it."""


def no_folder() -> NamedFolder | None:
    """Return no folder, for a runtime that is a Python package."""
    return None


@dataclass(frozen=True, slots=True)
class Probe:
    """Description of how to probe a runtime."""

    code: str
    """Module with ``answer(request, tell)``, which probes the runtime in a child process."""
    modules: tuple[str, ...]
    """Names of the runtime's Python module, which depend on the installed wheels."""
    packages: tuple[str, ...]
    """Distributions that provide its version without importing it."""
    install: str
    """The command that installs it."""
    ability: Callable[[Gpu], str]
    """Description of its abilities here, for `modellint doctor`."""
    reach: Callable[[Level, Device | None, Gpu], Reach | str] = full_reach
    """Depth to which it can be probed for a device, or the reason why it cannot."""
    stands_in_for: tuple[str, ...] = ()
    """Other runtimes that its answers are valid for."""
    formats: tuple[str, ...] = ("onnx", "onnx-text")
    """Formats of the models that it reads."""
    needs_ranges: bool = False
    """True if a build needs a shape range for each dynamic input."""
    asked_by_default: bool = False
    """True if it is the default without a runtime or target."""
    reads_engines: str = ""
    """Module that reads the layers of its engines in a child process."""
    environment: Path | None = None
    """File that states the packages which `modellint probe --setup` installs for it."""
    shares: str = ""
    """Another runtime whose environment has what it needs, too."""
    named_folder: Callable[[], NamedFolder | None] = no_folder
    """Returns the folder that the user names for it; raises if it lacks what is needed."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A message from a runtime, with the part of the model it concerns, if known."""

    kind: str
    text: str = ""
    node: str = ""
    op: str = ""
    index: int | None = None
    """Index of the node in the main graph; None if unknown."""
    value: str = ""
    """Input or tensor that the remark is about, if any."""


MOST_LISTED = 500
"""Remarks of an answer, and nodes that it lists."""


def source_of(request: Mapping[str, Any]) -> bytes | Path:
    """Return the model of a request as runtimes load it: the file, or bytes for ONNX text."""
    if request["format"] == "onnx-text":
        from modellint.runtimes.onnx_text import binary

        return binary(request["path"])
    return Path(request["path"])


def as_plain(remarks: Sequence[Remark]) -> list[dict[str, Any]]:
    """Return the first remarks as an answer has them."""
    return [asdict(remark) for remark in remarks[:MOST_LISTED]]
