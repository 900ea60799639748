"""Locations of modellint's data files and cache."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from modellint.base.files import read_text

_PACKAGE = Path(__file__).parent.parent
DEEPEST = 50
"""Levels of tables and lists in a TOML file; the deepest of ours have 6."""
MOST_DOTS = 1_000
"""Dots in a part of a line of a TOML file."""


def data_dir(name: str) -> Path:
    """Return a folder of data files: inside the installed package, or at a checkout's root."""
    packaged = _PACKAGE / "_data" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent.parent / name


def files_below(folder: Path, suffix: str) -> list[str]:
    """Return the paths of files with a suffix in a folder and all below it that can be read."""
    found, pending = [], [os.fspath(folder)]
    while pending:
        with suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif entry.name.endswith(suffix):
                    found.append(entry.path)
    return sorted(found)


def stamp_of(paths: Iterable[str | Path]) -> str:
    """Return a text that changes when one of the files does: their sizes and times."""
    stats = ((path, os.stat(path)) for path in paths)  # noqa: PTH116 - of hundreds of texts
    return "\n".join([f"{path}:{each.st_size}:{each.st_mtime_ns}" for path, each in stats])


def cache_dir() -> Path:
    """Return the user's cache folder for modellint."""
    chosen = os.environ.get("MODELLINT_CACHE_DIR")
    return Path(chosen) if chosen else _user_caches() / "modellint"


def environments_dir() -> Path:
    """Return the folder of what `modellint probe --setup` installs.

    It is apart from the cache, which holds no code and may lie in a repository.
    """
    chosen = os.environ.get("MODELLINT_ENVIRONMENTS")
    folder = Path(chosen) if chosen else _user_caches() / "modellint-environments"
    return folder.absolute()  # programs in it are run from other folders


def _user_caches() -> Path:
    """Return the folder of this user's caches, by platform convention."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", _home() / "AppData/Local"))
    if sys.platform == "darwin":
        return _home() / "Library/Caches"
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return chosen if chosen.is_absolute() else _home() / ".cache"  # as its specification says


def _home() -> Path:
    """Return the user's folder; for a user without one, a place where no file can be."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.devnull)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; raise ValueError also for what parses, but is beyond any use."""
    return parse_toml(read_text(path))


def parse_toml(text: str) -> dict[str, Any]:
    """Parse the text of a TOML file, like `read_toml`."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    if text.count(".") > MOST_DOTS and any(map(_is_deep_key, text.splitlines())):
        raise ValueError("nested too deeply")
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    _require_bounded(table)
    return table


def _is_deep_key(line: str) -> bool:
    """Return True for a key such as `a.a.a`, whose cost grows with the square of its parts."""
    return line.count(".") > MOST_DOTS and any(
        part.count(".") > MOST_DOTS for part in re.split("[,{}=]", line)
    )


def _require_bounded(value: Any, depth: int = 0) -> None:
    """Raise for numbers that no machine has, which TOML's parser lets through, and deep nesting."""
    if depth > DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        raise ValueError("an integer needs more than 64 bits")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a number to calculate with")
    if isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            _require_bounded(each, depth + 1)
