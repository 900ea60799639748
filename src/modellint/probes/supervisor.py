"""Supervision of a child process on Linux: whatever it starts ends with it, and with its parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from modellint.base.children import live_no_longer_than
from modellint.base.temporary import PREFIX

_PDEATHSIG, _SUBREAPER = 1, 36
_PAUSE = 0.005


def supervise(parent: int) -> None:
    """Go on in a fork. This process waits for that, or for its parent's death, and kills the rest.

    Processes that detach from the fork become children of this one, so that none is missed.
    """
    if sys.platform != "linux":
        live_no_longer_than(parent)
        return
    awaited = {signal.SIGCHLD, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    libc = ctypes.CDLL(None)
    libc.prctl(_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it died before the call
        os._exit(1)
    supervisor, worker = os.getpid(), os.fork()
    if worker == 0:
        live_no_longer_than(supervisor)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return
    status = _status_of(worker, awaited)
    _kill_descendants()
    if os.getppid() != parent:
        _remove_working_folder()
    _end_like(status)


def _status_of(worker: int, awaited: set[signal.Signals]) -> int | None:
    """Return the wait status of the worker; None if this process is to end before."""
    while True:
        if signal.sigwait(awaited) == signal.SIGTERM:
            return None
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == worker:
                    return ended[1]


def _kill_descendants() -> None:
    """Kill all children until there are none: those of the killed become children of this one."""
    while True:
        for child in children_of(os.getpid()):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(_PAUSE)


def _remove_working_folder() -> None:
    """Remove the temporary folder that the parent, which has died, made for its child."""
    import shutil

    folder = Path.cwd()
    if folder.name.startswith(PREFIX):
        shutil.rmtree(folder, ignore_errors=True)


def _end_like(status: int | None) -> None:
    """End as the worker did."""
    code = 128 + signal.SIGTERM if status is None else os.waitstatus_to_exitcode(status)
    if code < 0:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError):  # SIGKILL cannot be handled differently
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def children_of(pid: int) -> list[int]:
    """Return the ids of a process's children on Linux; none if it has ended."""
    found: list[int] = []
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += map(int, (thread / "children").read_text().split())
    return found
