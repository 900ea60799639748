"""Handling of Ctrl-C, which ends a run at any time without a traceback."""

from __future__ import annotations

import _thread
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_PAUSE = 0.01
_MOST_PAUSES = 200
"""Maximum number of pauses (two seconds): after that it is a hanging plugin, not an import."""

_pauses = 0
_main = 0


def catch() -> None:
    """Turn Ctrl-C into a KeyboardInterrupt, raised where it cannot be swallowed."""
    global _main
    _main = _thread.get_ident()
    signal.signal(signal.SIGINT, _interrupt)
    sys.unraisablehook = _interrupt_again


@contextmanager
def held() -> Iterator[None]:
    """Block Ctrl-C; processes started meanwhile inherit that and leave it to their parent."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _interrupt(_signal: int, frame: FrameType | None) -> None:
    """Raise, but not during an import: native modules would turn it into an ImportError."""
    global _pauses
    if _is_importing(frame) and _pauses < _MOST_PAUSES:
        _pauses += 1
        _thread.start_new_thread(_later, ())
        return
    _pauses = 0
    raise KeyboardInterrupt


def _later() -> None:
    time.sleep(_PAUSE)
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(_main, signal.SIGINT)  # wakes it, too
    else:
        _thread.interrupt_main()


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _interrupt_again(lost: Any) -> None:
    """Raise again if lost: Python prints and swallows exceptions in finalizers."""
    if issubclass(lost.exc_type, KeyboardInterrupt):
        _thread.start_new_thread(_later, ())  # not at once: it would be raised here
    else:
        sys.__unraisablehook__(lost)
