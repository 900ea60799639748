"""Announcement of what takes long: the work on a file, and the reading of its weights."""

from __future__ import annotations

from typing import Protocol


class Watcher(Protocol):
    """Recipient of announcements, in the process that shows them."""

    def begin(self, name: str) -> None:
        """The work on a file begins."""

    def end(self, name: str) -> None:
        """The work on a file is done."""

    def read(self, name: str, nbytes: int) -> None:
        """So much of a file's weights is to have been read in full."""


_watcher: Watcher | None = None


def watch(watcher: Watcher | None) -> None:
    global _watcher
    _watcher = watcher


def begin(name: str) -> None:
    if _watcher is not None:
        _watcher.begin(name)


def end(name: str) -> None:
    if _watcher is not None:
        _watcher.end(name)


def tell(name: str, nbytes: int) -> None:
    if _watcher is not None:
        _watcher.read(name, nbytes)
