"""What installed packages add to modellint through entry points."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def plugins(group: str) -> Iterable[EntryPoint]:
    """The entry points of a group, such as ``modellint.rules``."""
    if not _any_offers(group):
        return ()
    from importlib.metadata import entry_points

    return entry_points(group=group)


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
