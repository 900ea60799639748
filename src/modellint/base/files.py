"""Reading and writing of files that others may have prepared, or may read at the same time."""

from __future__ import annotations

import errno
import io
import os
import stat
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from modellint.base.drafts import own_draft
from modellint.base.errors import UsageError, reason_of
from modellint.base.paths import real_path
from modellint.base.standins import stand_ins

MOST_TEXT = 16 << 20
"""Maximum size of a file that a person writes: a configuration, a rule, a list of patterns."""
MOST_JSON = 256 << 20
"""Maximum size of a file that a program writes, and that is read as a whole."""

TO_OVERWRITE = "to overwrite it, name it on the command line with --force"

_READING = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: Path) -> io.FileIO:
    """Open a regular file for reading; raise OSError for anything else.

    Opening a pipe waits for a writer, and a device never ends: neither is opened. If one takes the
    file's place after it was looked at, opening it does not wait, and it is closed unread.
    """
    standing = stand_ins(path)
    if standing is not None:
        standing.find(path)
        return standing.open(path)
    _require_regular(path.stat())
    file = io.FileIO(path, "rb", opener=lambda name, flags: os.open(name, _READING))
    try:
        _require_regular(os.fstat(file.fileno()))
    except BaseException:
        file.close()
        raise
    return file


def regular_size(path: Path) -> int | None:
    """Return the size of a regular file; None if no such file exists or can exist."""
    standing = stand_ins(path)
    if standing is not None:
        standing.find(path)
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def names_in(folder: str | Path) -> frozenset[str]:
    """Return the names in a folder, which is listed once as long as it does not change."""
    return _listed(folder, os.stat(folder or ".").st_mtime_ns)  # noqa: PTH116 - asked of every model


@lru_cache(maxsize=8)
def _listed(folder: str | Path, _changed: int) -> frozenset[str]:
    return frozenset(os.listdir(folder or "."))  # noqa: PTH208


def read_regular(path: Path, most: int, *, private: bool = False) -> bytes:
    """Return the content of a regular file of at most `most` bytes; raise OSError otherwise.

    If `private`, only this user may be able to write to the file.
    """
    with open_regular(path) as file:
        status = os.fstat(file.fileno())
        if status.st_size > most:
            raise OSError(errno.EFBIG, f"larger than {most} bytes")
        if private and not is_private(status):
            raise OSError(errno.EPERM, "others can write to it")
        data = file.read(status.st_size + 1) or b""
    if len(data) > status.st_size:
        raise OSError(errno.EIO, "it grows while it is read")
    return data


def read_text(path: Path, most: int = MOST_TEXT, *, errors: str = "strict") -> str:
    """Return the text of a regular file, with newlines translated as in text mode."""
    text = read_regular(path, most).decode("utf-8-sig", errors)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def kind_of(mode: int) -> str:
    """Return the kind of a file that is not a regular one."""
    return next((kind for test, kind in _KINDS if test(mode)), "not a regular file")


def require_replaceable(path: Path, *, force: bool) -> None:
    """Raise UsageError if a new file must not take a place: it replaces only regular files."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"{path}: {reason_of(error)}") from error
    if not stat.S_ISREG(mode):
        raise UsageError(f"{path} is {kind_of(mode)}; name a file")
    if not force:
        raise UsageError(f"{path} exists; {TO_OVERWRITE}")


def is_private(status: os.stat_result) -> bool:
    """Return True if this user owns a file or folder, and is the only one who can write to it."""
    if not hasattr(os, "geteuid"):
        return True
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _require_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, f"it is {kind_of(status.st_mode)}")


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write next to `path`, then move into place; an existing file keeps its permissions.

    Links are followed, and special files (a pipe, /dev/stdout) are written directly.
    """
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    target = real_path(path)
    if target.is_symlink():  # a link to itself
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    replace_file(target, data)


def replace_file(path: Path, data: bytes, mode: int | None = None) -> None:
    """Write next to `path`, then move into place: readers see either the old or the new content.

    A link is replaced, not followed. By default, an existing file keeps its permissions.
    """
    mode = _mode(path) if mode is None else mode
    temporary = path.with_name(f"{own_draft()}{time.monotonic_ns()}")
    try:
        with temporary.open("xb") as file:
            temporary.chmod(mode)
            file.write(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _mode(path: Path) -> int:
    """Return the permissions that writing directly to `path` would result in."""
    with suppress(OSError):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            return status.st_mode & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
