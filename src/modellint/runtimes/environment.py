"""Packages that a probe needs, as a runtime's `environment.toml` states them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from modellint.base.records import dataclass


@dataclass(frozen=True, slots=True)
class Pinned:
    """A package with its exact version."""

    name: str
    version: str
    license: str
    megabytes: float
    """Approximate size of its download."""


@dataclass(frozen=True, slots=True)
class ProbeEnvironment:
    """All packages that a probe needs; nothing besides them is installed."""

    packages: tuple[Pinned, ...]
    source: str
    date: str
    """Day on which the versions were tried together."""
    module: str = ""
    """Python module that must be importable in the end."""
    installer: Literal["pip", "npm"] = "pip"
    pythons: tuple[str, ...] = ()
    """Versions of Python that the packages exist for; empty for any."""
    index: str = ""
    """Address of an index with builds that PyPI has in a larger form, or not at all."""
    agreement: str = ""
    """Terms that a user agrees to by installing it, if part of it is proprietary."""

    @property
    def version(self) -> str:
        """Return the version of the runtime, which is the first package's."""
        return self.packages[0].version

    @property
    def megabytes(self) -> float:
        return sum(each.megabytes for each in self.packages)


@cache
def read_environment(file: Path) -> ProbeEnvironment:
    from modellint.base.data import read_toml
    from modellint.base.rebuild import from_plain

    return from_plain(ProbeEnvironment, read_toml(file))
