"""Questions that a server or a store is asked about remote files."""

from __future__ import annotations

import errno
import threading
from collections import Counter
from collections.abc import Sequence, Sized
from typing import BinaryIO, Protocol

from modellint.base.records import dataclass

TRIES = 3
"""Number of times that a request is made, if the answer may be better next time."""
PAUSE = 0.2
"""Seconds before the second try, doubled before each further one."""
SLOWEST = 1 << 16
"""Bytes per second below which an answer counts as stalled, after the time that it may take."""
MOST_FILES = 200_000
"""Files to list below one address."""
CHANGED = "it changed while it was read"
REMOVED = "it was removed while it was read"
STALLS = 2
"""Requests in a row that may fail for want of an answer before no other is made."""


class FetchError(OSError):
    """A remote file could not be fetched, or not unchanged."""

    def __init__(self, text: str) -> None:
        super().__init__(errno.EIO, text)
        self.text = text


class StalledError(FetchError):
    """A server did not answer in time."""


class UnrangedError(FetchError):
    """A server sends whole files only."""


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """Limits on what may be spent on one model."""

    most: int = 256 << 20
    """Bytes to fetch."""
    seconds: float = 30.0
    """Time that a server may take to begin its answer, and then for nothing more to come."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A remote file."""

    name: str
    """Its path below the top, with forward slashes."""
    size: int
    tag: str = ""
    """ETag, checksum or time, which changes with its content; empty if nothing is known."""
    head: bytes = b""
    """Bytes of its beginning that came with the answer."""
    in_ranges: bool = True
    """False if the server sends only whole files."""
    trouble: str = ""
    """Reason why it cannot be read."""


class Traffic:
    """Counts what is fetched; several threads may add to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests = 0
        self.nbytes = 0

    def add(self, nbytes: int = 0, requests: int = 0) -> None:
        with self._lock:
            self.nbytes += nbytes
            self.requests += requests


_stalls: Counter[str] = Counter()


class Patience:
    """Patience with one server: one that does not answer is not asked for every file."""

    def __init__(self, server: str) -> None:
        self._server = server

    def require(self) -> None:
        if _stalls[self._server] > STALLS:
            raise StalledError("the server has not answered several times")

    @property
    def is_short(self) -> bool:
        return _stalls[self._server] >= STALLS

    def answered(self) -> None:
        _stalls[self._server] = 0

    def stalled(self, seconds: float) -> StalledError:
        _stalls[self._server] += 1
        return StalledError(f"the server does not answer within {seconds:g} s")


def forget_stalls() -> None:
    """Give servers that did not answer another chance, in another run."""
    _stalls.clear()


def require_few(files: Sized) -> None:
    if len(files) > MOST_FILES:
        raise FetchError(f"it has more than {MOST_FILES:,} files; name a folder in it")


class RemoteFolder(Protocol):
    """A folder on a server or in a store. It can be pickled, and is used by several threads."""

    checks_tags: bool
    """True if reading a file whose tag has changed fails without further checks."""

    def look(self, name: str, head: int, traffic: Traffic) -> RemoteFile | None:
        """Return a file, with the first bytes if they come with the answer; None if there is none.

        Raises FetchError.
        """

    def files(self, traffic: Traffic) -> Sequence[RemoteFile]:
        """Return all files below the top. Raises FetchError."""

    def read(self, entry: RemoteFile, start: int, stop: int, traffic: Traffic) -> bytes:
        """Return these bytes, all of them. Raises FetchError, UnrangedError."""

    def download(self, entry: RemoteFile, file: BinaryIO, traffic: Traffic) -> None:
        """Write the whole file. Raises FetchError."""

    def close(self) -> None:
        """Close connections."""
