"""Files and lines in messages about a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modellint.base.files import read_text


def shown(file: Path) -> str:
    """Return the shortest path from the working folder."""
    try:
        return file.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(file)


def line_of(file: Path, keys: Sequence[str | int]) -> int | None:
    """Return the line of a setting in its file."""
    from modellint.config.lines import find_line

    prefix = ("tool", "modellint") if file.name == "pyproject.toml" else ()
    return find_line(read_text(file), (*prefix, *keys))
