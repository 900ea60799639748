"""Addresses of files as code-review sites want them: relative to the repository, with slashes."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote


def source_path(path: str, root: str) -> str:
    """The file's path below the root, its links followed. A file elsewhere goes by its name
    alone: where it lies on this machine is nobody's business."""
    top = os.path.realpath(root)
    for candidate in (os.path.realpath(path), os.path.abspath(path)):  # noqa: PTH100
        try:
            return Path(candidate).relative_to(top).as_posix()
        except ValueError:
            continue
    return Path(path).name


def source_uri(path: str, root: str) -> str:
    """The same as a relative URI reference."""
    return quote(os.fsencode(source_path(path, root)), safe="/-._~")
