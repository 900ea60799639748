"""What installed packages add to modellint through entry points."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from modellint.base.errors import UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")


def plugins(group: str) -> Iterable[EntryPoint]:
    """The entry points of a group, such as ``modellint.rules``."""
    if not _any_offers(group):
        return ()
    from importlib.metadata import entry_points

    return entry_points(group=group)


def load_plugins(group: str, kind: type[T]) -> Iterator[T]:
    """The objects that a group's entry points name, each of the kind that the group is for."""
    for point in plugins(group):
        try:
            found = point.load()
        except Exception as error:  # a plugin's code may raise anything
            raise UsageError(f"plugin {point.value}: {error}") from error
        if not isinstance(found, kind):
            raise UsageError(f"plugin {point.value}: not a {kind.__module__}.{kind.__name__}")
        yield found


def _any_offers(group: str) -> bool:
    """False where there is surely no such entry point: most runs need not import what parses them.

    Only plain folders can be searched this fast; anything else on the path counts as true.
    """
    section = f"[{group}]".encode()
    for place in map(Path, sys.path):
        if place.is_file():
            return True
        for pattern in ("*.dist-info/entry_points.txt", "*.egg-info/entry_points.txt"):
            if any(section in file.read_bytes() for file in place.glob(pattern)):
                return True
    return False
