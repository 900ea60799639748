"""Finds the runtimes: one package each in this folder, and those that plugins add.

A package is imported when its runtime is asked for, so that a run pays for one or two.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path

from modellint.base.errors import UsageError
from modellint.base.plugins import load_plugins
from modellint.runtimes.runtime import TYPICAL, Runtime, RuntimeMemory

GROUP = "modellint.runtimes"
"""The entry points of plugins; each names a `Runtime`."""
_FOLDER = Path(__file__).parent


@cache
def find_runtime(name: str | None) -> Runtime | None:
    """The runtime of this name; None for one that is not described anywhere."""
    package = (name or "").replace("-", "_")
    if package in _packages():
        return _built_in(package)
    return _added().get(name or "")


@cache
def runtimes() -> Mapping[str, Runtime]:
    """Every runtime by name, in order."""
    found = {runtime.name: runtime for runtime in map(_built_in, _packages())}
    return dict(sorted({**found, **_added()}.items()))


def title_of(name: str) -> str:
    """The name that a runtime has in a sentence."""
    runtime = find_runtime(name)
    return runtime.title if runtime is not None else name


def builder_of(name: str | None) -> str:
    """The runtime whose compiler builds for this one: most often itself; empty for None."""
    runtime = find_runtime(name)
    return runtime.builder or runtime.name if runtime is not None else name or ""


def memory_of(name: str | None) -> RuntimeMemory:
    """How a runtime plans memory."""
    runtime = find_runtime(name)
    return runtime.memory if runtime is not None else TYPICAL


@cache
def _packages() -> tuple[str, ...]:
    return tuple(sorted(file.parent.name for file in _FOLDER.glob("*/__init__.py")))


def _built_in(package: str) -> Runtime:
    runtime: Runtime = import_module(f"{__package__}.{package}").RUNTIME
    return runtime


@cache
def _added() -> Mapping[str, Runtime]:
    found: dict[str, Runtime] = {}
    for runtime in load_plugins(GROUP, Runtime):
        if runtime.name in found or runtime.name.replace("-", "_") in _packages():
            raise UsageError(f"a plugin's runtime {runtime.name!r}: there already is one")
        found[runtime.name] = runtime
    return found
