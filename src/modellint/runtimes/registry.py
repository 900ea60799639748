"""Registry of runtimes: one package each in this folder, plus those of plugins.

A package is imported when its runtime is used, so that a run pays for one or two.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path

from modellint.base.errors import UsageError
from modellint.base.plugins import load_plugins
from modellint.runtimes.runtime import TYPICAL, LanguageMemory, Runtime, RuntimeMemory

GROUP = "modellint.runtimes"
"""Entry point group of plugins; each entry refers to a `Runtime`."""
_FOLDER = Path(__file__).parent


@cache
def find_runtime(name: str | None) -> Runtime | None:
    """Return the runtime with this name; None if unknown."""
    package = (name or "").replace("-", "_").replace(".", "_")
    if package in _packages():
        return _built_in(package)
    return _added().get(name or "")


@cache
def runtimes() -> Mapping[str, Runtime]:
    """Return all runtimes by name, in order."""
    found = {runtime.name: runtime for runtime in map(_built_in, _packages())}
    return dict(sorted({**found, **_added()}.items()))


def title_of(name: str) -> str:
    """Return a runtime's display name."""
    runtime = find_runtime(name)
    return runtime.title if runtime is not None else name


def builder_of(name: str | None) -> str:
    """Return the runtime whose compiler this one uses, usually itself; empty for None."""
    runtime = find_runtime(name)
    return runtime.builder or runtime.name if runtime is not None else name or ""


def memory_of(name: str | None) -> RuntimeMemory:
    """Return a runtime's memory planning."""
    runtime = find_runtime(name)
    return runtime.memory if runtime is not None else TYPICAL


@cache
def language_runtimes() -> Mapping[str, LanguageMemory]:
    """Return the runtimes that serve language models."""
    return {name: each.language for name, each in runtimes().items() if each.language is not None}


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
            raise UsageError(f"runtime {runtime.name!r} of a plugin already exists")
        found[runtime.name] = runtime
    return found
