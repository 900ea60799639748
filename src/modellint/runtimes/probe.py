"""How a runtime is asked about a model: what its package states, and what its child code says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

from modellint.base.records import dataclass

Level = Literal["parse", "build"]
Capability = tuple[int, int]
"""A CUDA compute capability."""
Gpu = Callable[[], Capability | None]
"""Looks for this machine's GPU, when called."""
Tell = Callable[[dict[str, Any]], None]
"""Leaves an answer with the parent process; a later one replaces it."""


class Device(Protocol):
    """What a runtime may want to know of a target."""

    @property
    def name(self) -> str: ...
    @property
    def compute_capability(self) -> Capability | None: ...


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a runtime can be asked here about a device."""

    level: Level
    capability: Capability | None = None
    """The compute capability to build for, where it is not this machine's."""
    note: str = ""
    """Why it is not asked further."""


def full_reach(level: Level, device: Device | None, gpu: Gpu) -> Reach | str:
    """For a runtime that can be asked everything everywhere."""
    return Reach(level)


@dataclass(frozen=True, slots=True)
class Probe:
    """Where a runtime's Python module comes from, and what can be asked of it."""

    code: str
    """The module that asks it, in a child process: it has ``answer(request, tell)``."""
    modules: tuple[str, ...]
    """The runtime's module, under the names it has depending on which wheels are installed."""
    packages: tuple[str, ...]
    """Distributions that may state its version without its being imported."""
    install: str
    """The command that installs it."""
    ability: Callable[[Gpu], str]
    """What `modellint doctor` says it can do here."""
    reach: Callable[[Level, Device | None, Gpu], Reach | str] = full_reach
    """How far it can be asked about a device, or why it cannot be asked at all."""
    stands_in_for: tuple[str, ...] = ()
    """Other runtimes that its answer is good for."""
    needs_ranges: bool = False
    """Whether a build needs a range for each input whose shape is open."""
    asked_by_default: bool = False
    """Whether it is asked about a model for which neither a runtime nor a target is named."""
    reads_engines: str = ""
    """The module that reads the layers of its engines, in a child process."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing a runtime said, with the part of the model it means, as far as that is known."""

    kind: str
    text: str = ""
    node: str = ""
    op: str = ""
    index: int | None = None
    """Of the node in the main graph; None when the runtime does not say."""
    value: str = ""
    """An input or tensor, where the remark is about one."""
