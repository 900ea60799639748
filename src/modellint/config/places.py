"""Files and lines in messages about a configuration."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from modellint.base.files import read_text
from modellint.base.mistakes import FileMistake, KeyPath
from modellint.base.paths import real_path

PYPROJECT = "pyproject.toml"
PYPROJECT_TABLE = ("tool", "modellint")


def shown(file: Path) -> str:
    """Return the shortest path from the working folder."""
    try:
        return real_path(file).relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(file)


def keys_in(file: Path, keys: KeyPath) -> KeyPath:
    """Return the path of a setting in its file, where it may be below a table of ours."""
    return (*PYPROJECT_TABLE, *keys) if file.name == PYPROJECT else keys


def lines_of(file: Path, mistakes: Iterable[FileMistake]) -> list[int | None]:
    """Return the lines of mistakes about settings in their file."""
    from modellint.base.toml_text import TomlText

    try:
        toml = TomlText(read_text(file))
    except (OSError, ValueError):  # it has changed since, or was never on a disk
        return [None for _ in mistakes]
    found = [toml.find(keys_in(file, each.keys)) for each in mistakes]
    return [toml.line(place.range.start) if place is not None else None for place in found]
