"""Files and lines, the way messages about a configuration name them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def shown(file: Path) -> str:
    """A path as short as it can be said from here."""
    try:
        return file.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(file)


def line_of(file: Path, keys: Sequence[str | int]) -> int | None:
    """The line of a setting in its file."""
    from modellint.config.lines import find_line

    prefix = ("tool", "modellint") if file.name == "pyproject.toml" else ()
    return find_line(file.read_text(encoding="utf-8-sig"), (*prefix, *keys))
