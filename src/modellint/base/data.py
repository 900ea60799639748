"""Locations of modellint's data files and cache."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from modellint.base.files import read_text

_PACKAGE = Path(__file__).parent.parent


def data_dir(name: str) -> Path:
    """Return a folder of data files: inside the installed package, or at a checkout's root."""
    packaged = _PACKAGE / "_data" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent.parent / name


def cache_dir() -> Path:
    """Return the user's cache folder for modellint, by platform convention."""
    chosen = os.environ.get("MODELLINT_CACHE_DIR")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "modellint"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/modellint"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modellint"


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    return tomllib.loads(read_text(path))
