"""Announcement of the reading of weights, which takes long for large ones."""

from __future__ import annotations

from collections.abc import Callable

Listener = Callable[[str, int], None]
_listener: Listener | None = None


def listen(listener: Listener | None) -> None:
    """Call `listener` with a file's name and the bytes of its weights to have been read in full."""
    global _listener
    _listener = listener


def tell(name: str, nbytes: int) -> None:
    """Tell the listener, if there is one, how much is to have been read."""
    if _listener is not None:
        _listener(name, nbytes)
