"""Mistakes in TOML files, with the places that editors show them at."""

from __future__ import annotations

from modellint.base.expressions import late
from modellint.base.records import dataclass

KeyPath = tuple[str | int, ...]
_PLACE = late(r"\(at line (\d+), column (\d+)\)")


@dataclass(frozen=True, slots=True)
class FileMistake:
    """A mistake in a file."""

    text: str
    keys: KeyPath = ()
    """The key that it is about; empty for the file as a whole."""
    line: int | None = None
    """Line of the file, or of the text of a key, from 1; None to show it at the key."""
    column: int = 1


def syntax_mistake(text: str) -> FileMistake:
    """Return the mistake that a message of TOML's parser describes."""
    place = _PLACE.search(text)
    if place is None:
        return FileMistake(text)
    return FileMistake(text, (), int(place[1]), int(place[2]))
