"""Plugins: entry points of installed packages."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from modellint.base.errors import UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")
PREFIX = "modellint."
"""Common prefix of all groups."""


def plugins(group: str) -> Iterable[EntryPoint]:
    """Return the entry points of a group, for example ``modellint.rules``."""
    if not _any_offers(group):
        return ()
    from importlib.metadata import entry_points

    return entry_points(group=group)


def load_plugins(group: str, kind: type[T]) -> Iterator[T]:
    """Iterate over the objects of a group's entry points, which must be instances of `kind`."""
    return (load_plugin(point, kind) for point in plugins(group))


def load_plugin(point: EntryPoint, kind: type[T]) -> T:
    """Return the object that an entry point names."""
    try:
        found = point.load()
    except Exception as error:  # plugins may raise anything
        raise UsageError(f"plugin {point.value}: {error}") from error
    if not isinstance(found, kind):
        raise UsageError(f"plugin {point.value}: not a {kind.__module__}.{kind.__name__}")
    return found


def plugin_versions() -> list[str]:
    """Return all plugins of all groups: module and version."""
    if not _any_offers(PREFIX):
        return []
    from importlib.metadata import distributions

    found = {
        f"{point.module} {package.version}"
        for package in distributions()
        for point in package.entry_points
        if point.group.startswith(PREFIX)
    }
    return sorted(found)


def _any_offers(group: str) -> bool:
    """Return False if there is surely no such entry point: most runs need not parse them."""
    declared = _declared(tuple(sys.path))
    return declared is None or f"[{group}".encode() in declared


@cache
def _declared(path: Sequence[str]) -> bytes | None:
    """Return the entry points of all packages on the path, unparsed.

    Only plain folders can be searched quickly; None if the path contains anything else.
    """
    found = []
    for place in path:
        try:
            entries = list(os.scandir(place or "."))
        except NotADirectoryError:
            return None
        except OSError:
            continue
        for entry in entries:
            if entry.name.endswith((".dist-info", ".egg-info")):
                with suppress(OSError):
                    found.append(Path(entry.path, "entry_points.txt").read_bytes())
    return b"\n".join(found)
