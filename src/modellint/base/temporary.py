"""Temporary folders, which do not outlive the run by much, whatever ends it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from modellint.base import interrupts

PREFIX = "modellint-run-"
"""Of no other folder: those that no process has locked are removed."""
_OLD = 60.0
"""Seconds after which a folder has been locked by its run, if that lives."""


@contextmanager
def temporary_folder(place: Path | None = None) -> Iterator[Path]:
    """Yield a folder, and remove it in the end; first remove those of runs that were killed.

    It is where the system keeps such folders, or in another place.
    """
    import tempfile

    with suppress(OSError):
        _remove_abandoned(place or Path(tempfile.gettempdir()))
    with interrupts.held(all=True):  # until it is known what is to be removed
        folder = tempfile.TemporaryDirectory(prefix=PREFIX, dir=place, ignore_cleanup_errors=True)
    with folder as name:
        lock = _lock(name)
        try:
            yield Path(name)
        finally:
            if lock is not None:
                os.close(lock)


def _remove_abandoned(place: Path) -> None:
    """Remove folders that no living process has locked."""
    import shutil

    with os.scandir(place) as entries:
        found = [entry for entry in entries if entry.name.startswith(PREFIX)]
    for entry in found:
        if not _is_ours(entry):
            continue
        lock = _lock(entry.path)
        if lock is not None:
            shutil.rmtree(entry.path, ignore_errors=True)
            os.close(lock)


def _is_ours(entry: os.DirEntry[str]) -> bool:
    """Return True for an old folder, no link to one, of this user's."""
    try:
        status = entry.stat(follow_symlinks=False)
        is_folder = entry.is_dir(follow_symlinks=False)
    except OSError:
        return False
    owner = getattr(os, "getuid", lambda: status.st_uid)()
    return is_folder and status.st_uid == owner and status.st_mtime < time.time() - _OLD


def _lock(folder: str) -> int | None:
    """Lock a folder until the process ends; None if another has, or if the system has no locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    lock = None
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        if lock is not None:
            os.close(lock)
        return None
    return lock
