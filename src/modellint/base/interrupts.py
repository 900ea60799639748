"""Ctrl-C ends a run at any moment, and never with a traceback."""

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
"""After two seconds it is no longer an import that is waited for, but a plugin that hangs."""

_pauses = 0
_main = 0


def catch() -> None:
    """Turn Ctrl-C into a KeyboardInterrupt that is raised where it is not lost."""
    global _main
    _main = _thread.get_ident()
    signal.signal(signal.SIGINT, _interrupt)
    sys.unraisablehook = _interrupt_again


@contextmanager
def held() -> Iterator[None]:
    """Hold Ctrl-C back; processes started meanwhile never see it, and leave it to their parent."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _interrupt(_signal: int, frame: FrameType | None) -> None:
    """Raise, but not within an import: native modules make an ImportError of it."""
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
    """Python swallows what is raised in finalizers, after printing it."""
    if issubclass(lost.exc_type, KeyboardInterrupt):
        _thread.start_new_thread(_later, ())  # not at once: it would be raised here
    else:
        sys.__unraisablehook__(lost)
