"""Versions of runtimes, and the tables in their packages that hold for some of them.

A table is a file `<kind>-<version>.toml` or `.json`, so that a new version is a new file. For a
version without a table of its own, the table of the nearest older version holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from modellint.base.records import dataclass
from modellint.base.store import kept_tomls
from modellint.runtimes.registry import find_runtime

RELEASE = "release"
"""The kind of table that describes a release itself."""
Capability = tuple[int, int]

_VERSION = re.compile(r"\d{1,6}(\.\d{1,6}){0,4}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Table:
    """A file of facts that hold from a version on."""

    version: str
    path: Path


@dataclass(frozen=True, slots=True)
class Release:
    """Description of a release, from its own file."""

    version: str
    source: str
    confidence: str
    opset: tuple[int, int] | None = None
    """The lowest and the highest opset that it supports."""
    strict: bool = True
    """False if it reads models of all other opsets too, as far as it knows their operators."""
    ir: int | None = None
    """The highest version of the ONNX file format that it supports."""
    capability: Capability | None = None
    """The lowest compute capability that it runs on."""
    operators: tuple[str, ...] = ()
    """Standard operators that are supported since this release."""


def is_version(text: str) -> bool:
    return _VERSION.fullmatch(text) is not None


@lru_cache(maxsize=1024)
def version_key(text: str) -> tuple[int, ...]:
    """Return the numbers of a version, for comparison."""
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def is_of(version: str, release: str) -> bool:
    """Return True if a version is the release itself or a patch of it: 10.15.1 is of 10.15."""
    return version_key(version)[: len(version_key(release))] == version_key(release)


def is_between(version: str, after: str, until: str) -> bool:
    """Return True if a version is newer than `after`, and not newer than `until`."""
    return version_key(after) < version_key(version) <= version_key(until)


def is_known(runtime: str, version: str) -> bool:
    """Return True if a version is not newer than all known releases."""
    newest = newest_version(runtime)
    return newest is None or is_of(version, newest) or version_key(version) <= version_key(newest)


@cache
def tables_of(runtime: str, kind: str) -> tuple[Table, ...]:
    """Return a runtime's tables of a kind, newest first."""
    known = find_runtime(runtime)
    folder = known.tables if known is not None else None
    if folder is None:
        return ()
    files = chain(folder.glob(f"{kind}-*.toml"), folder.glob(f"{kind}-*.json"))
    found = (Table(path.stem.removeprefix(f"{kind}-"), path) for path in files)
    return tuple(sorted(found, key=lambda table: version_key(table.version), reverse=True))


@lru_cache
def find_table(runtime: str, kind: str, version: str | None) -> Table | None:
    """Return the table for a version: the nearest older one, or else the oldest.

    Without a version, return the newest.
    """
    tables = tables_of(runtime, kind)
    if version is None:
        return next(iter(tables), None)
    wanted = version_key(version)
    older = (table for table in tables if version_key(table.version) <= wanted)
    return next(older, tables[-1] if tables else None)


@cache
def releases(runtime: str) -> tuple[Release, ...]:
    """Return the releases that are known, newest first."""
    tables = tables_of(runtime, RELEASE)
    stated = kept_tomls(f"{runtime}-{RELEASE}s", [table.path for table in tables]) if tables else {}
    return tuple(_release(table.version, stated[table.path.stem]) for table in tables)


@lru_cache
def neighbours(
    runtime: str, version: str | None, fact: Literal["opset", "ir"]
) -> tuple[Release | None, Release | None]:
    """Return the nearest releases that are older and newer, of those that state a fact.

    Both are the version's own release, if that is known. Without a version, it is the newest one.
    """
    known = [each for each in releases(runtime) if getattr(each, fact) is not None]
    if version is None:
        return (known[0], known[0]) if known else (None, None)
    wanted = version_key(version)
    older = next((each for each in known if version_key(each.version) <= wanted), None)
    if older is not None and is_of(version, older.version):
        return older, older
    newer = [each for each in known if version_key(each.version) > wanted]
    return older, newer[-1] if newer else None


def _release(version: str, stated: Mapping[str, Any]) -> Release:
    opset, capability = stated.get("opset"), stated.get("capability")
    return Release(
        version,
        stated["source"],
        stated["confidence"],
        opset=(opset[0], opset[1]) if opset else None,
        strict=stated.get("strict", True),
        ir=stated.get("ir"),
        capability=_capability(capability) if capability else None,
        operators=tuple(stated.get("operators", ())),
    )


def _capability(text: str) -> Capability:
    major, minor = text.split(".")
    return int(major), int(minor)


def newest_version(runtime: str, capability: Capability | None = None) -> str | None:
    """Return the newest known version, or the newest that runs on a compute capability."""
    if capability is None:
        return next((table.version for table in tables_of(runtime, RELEASE)), None)
    known = releases(runtime)
    fit = (each for each in known if each.capability is None or each.capability <= capability)
    return next(fit, known[-1]).version if known else None


def full_version(runtime: str, text: str) -> str:
    """Return the newest known version for a major version: ``10`` means 10.15, say."""
    known = (table.version for table in tables_of(runtime, RELEASE))
    return text if "." in text else next((each for each in known if is_of(each, text)), text)
