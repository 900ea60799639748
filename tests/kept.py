"""Entries of a cache that many caches start with."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path


class KeptEntries:
    """The files of a folder as they are now."""

    def __init__(self, folder: Path) -> None:
        self._files = {path: (path.read_bytes(), _state(path)) for path in folder.iterdir()}

    def put_into(self, folder: Path) -> None:
        """Link the files, which tests may damage: what an earlier one has changed is restored."""
        for path, (content, state) in self._files.items():
            if _state(path) != state:
                path.unlink()
                path.write_bytes(content)
                path.chmod(0o600)
                self._files[path] = content, _state(path)
            _link(path, folder / path.name)


def _state(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_mode


if sys.platform == "win32":
    _link = shutil.copyfile
else:
    _link = os.link
