"""File paths for code-review sites: relative to the repository, with forward slashes."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from modellint.base.paths import is_address


@lru_cache  # asked for every finding of a file
def source_path(path: str, root: str) -> str:
    """Return the file's resolved path relative to the root, or only its name if it is elsewhere:
    reports must not leak paths of this machine. What is remote has its address."""
    if is_address(path):
        return path
    top = os.path.realpath(root)
    for candidate in (os.path.realpath(path), os.path.abspath(path)):  # noqa: PTH100
        try:
            return Path(candidate).relative_to(top).as_posix()
        except ValueError:
            continue
    return Path(path).name


def source_uri(path: str, root: str) -> str:
    """Return the source path as a relative URI reference; the address of what is remote."""
    safe = ":/-._~@" if is_address(path) else "/-._~"
    return quote(os.fsencode(source_path(path, root)), safe=safe)
