"""Handling of Ctrl-C and of requests to terminate, which end a run at any time without a traceback.

It imports nothing that is not compiled into Python, so that it is ready as early as possible.
"""

from __future__ import annotations

import _thread
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from types import FrameType, TracebackType
    from typing import Any
else:
    import _signal as signal

_PAUSE = 0.01
_MOST_PAUSES = 200
"""Maximum number of pauses (two seconds): after that it is a hanging plugin, not an import."""

_pauses = 0
_main = 0
_received: int = signal.SIGINT
_happened = False


def catch() -> None:
    """Turn signals into a KeyboardInterrupt, raised where it cannot be swallowed."""
    global _main
    _main = _thread.get_ident()
    signal.signal(signal.SIGINT, _interrupt)
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:  # not with nohup
            signal.signal(number, _interrupt)
    sys.unraisablehook = _interrupt_again


def exit_code() -> int:
    """Return the exit code of a process that a signal ended: 130 for Ctrl-C."""
    return 128 + _received


def happened() -> bool:
    """Return True if a signal came: native code may have turned it into any other error."""
    return _happened


def word() -> str:
    return "interrupted" if _received == signal.SIGINT else "terminated"


class held:  # noqa: N801 - reads as a function, but `contextlib` would have to be imported
    """Block Ctrl-C; processes started meanwhile inherit that and leave it to their parent.

    With `all`, block what asks to terminate, too.
    """

    def __init__(self, *, all: bool = False) -> None:
        names = ("SIGINT", "SIGTERM", "SIGHUP") if all else ("SIGINT",)
        self._blocked = {getattr(signal, name) for name in names if hasattr(signal, name)}

    def __enter__(self) -> None:
        if hasattr(signal, "pthread_sigmask"):  # not on Windows
            self._before = signal.pthread_sigmask(signal.SIG_BLOCK, self._blocked)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_SETMASK, self._before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise, but not during an import: native modules would turn it into an ImportError."""
    global _happened, _pauses, _received
    _happened, _received = True, number
    if _is_importing(frame) and _pauses < _MOST_PAUSES:
        _pauses += 1
        _thread.start_new_thread(_later, ())
        return
    _pauses = 0
    raise KeyboardInterrupt


def _later() -> None:
    time.sleep(_PAUSE)
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(_main, _received)  # wakes it, too
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
