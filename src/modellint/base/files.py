"""Atomic writing of files: readers see either the old or the new content."""

from __future__ import annotations

import os
import time
from pathlib import Path


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write next to `path`, then move into place; an existing file keeps its permissions.

    Links are followed, and special files (a pipe, /dev/stdout) are written directly.
    """
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    path = path.resolve()
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{time.monotonic_ns()}")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        temporary.chmod(_mode(path))
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _mode(path: Path) -> int:
    """Return the permissions that writing directly to `path` would result in."""
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask
