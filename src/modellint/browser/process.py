"""The browser's processes, and the two pipes of the DevTools protocol."""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from modellint.base.records import dataclass

_ASKED, _ANSWERED = 3, 4
"""Descriptors that a browser reads commands from and writes answers to, by its own convention."""
_ABOVE = 10
"""The lowest descriptor of the ends of this process, out of the way of those two."""
_TICK = 0.5
_GRACE = 2.0
"""Seconds that the browser has to exit on its own."""
_MOST_BYTES = 512 << 20
"""Limit on the size of one message from the browser."""
_SAID = "said"


class BrowserError(Exception):
    """The browser does not start, ended, or exceeded a limit."""


@dataclass(frozen=True, slots=True)
class BrowserLimits:
    """BrowserLimits of a browser."""

    seconds: float = 60.0
    """Of one command, unless another is stated with it."""
    memory: int = 4 << 30
    """Of all of its processes together, in bytes; only Linux can tell."""


class Process:
    """A running browser: takes commands as JSON, and gives messages as JSON."""

    def __init__(self, command: Sequence[str], folder: Path, limits: BrowserLimits) -> None:
        self._folder, self._limits = folder, limits
        self._received = bytearray()
        self._status: int | None = None
        self._weighed = 0.0
        asked, self._asks = _pipe()
        self._answers, answered = _pipe()
        try:
            self._pid = _spawn(command, folder, asked, answered)
        except OSError as error:
            os.close(self._asks)
            os.close(self._answers)
            raise BrowserError(f"{command[0]} does not start: {error.strerror}") from None
        finally:
            os.close(asked)
            os.close(answered)

    def send(self, message: dict[str, Any]) -> None:
        data = memoryview(json.dumps(message).encode() + b"\0")
        try:
            while data:
                data = data[os.write(self._asks, data) :]
        except OSError:
            raise self._ended() from None

    def receive(self, deadline: float) -> dict[str, Any] | None:
        """Return the next message; None if there is none until the deadline."""
        while b"\0" not in self._received:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._watch_memory()
            if not select.select([self._answers], [], [], min(left, _TICK))[0]:
                continue
            data = os.read(self._answers, 1 << 20)
            if not data:
                raise self._ended()
            self._received += data
            if len(self._received) > _MOST_BYTES:
                raise BrowserError("the browser sent a message that is too long")
        line, _, rest = self._received.partition(b"\0")
        self._received = rest
        message = json.loads(line)
        return message if isinstance(message, dict) else {}

    def end(self) -> None:
        """End all processes of the browser."""
        for pipe in (self._asks, self._answers):
            with suppress(OSError):
                os.close(pipe)
        until = time.monotonic() + _GRACE
        while not self._has_ended() and time.monotonic() < until:
            time.sleep(0.01)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)
        if self._status is None:
            _, self._status = os.waitpid(self._pid, 0)

    def _has_ended(self) -> bool:
        if self._status is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            self._status = status if pid else None
        return self._status is not None

    def _ended(self) -> BrowserError:
        said = (self._folder / _SAID).read_text("utf-8", "replace")
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        words = (
            "".join(c for c in lines[-1] if c.isprintable())[:300] if lines else "without a word"
        )
        return BrowserError(f"the browser ended: {words}")

    def _watch_memory(self) -> None:
        now = time.monotonic()
        if now < self._weighed + _TICK:
            return
        self._weighed = now
        if _memory_of_group(self._pid) > self._limits.memory:
            limit = self._limits.memory / 2**30
            raise BrowserError(f"the browser used more memory than {limit:.2f} GiB")


def _pipe() -> tuple[int, int]:
    """Return two ends of a pipe that other children do not inherit."""
    import fcntl

    ends = os.pipe()
    read, write = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _ABOVE) for end in ends)
    for end in ends:
        os.close(end)
    return read, write


def _spawn(command: Sequence[str], folder: Path, asked: int, answered: int) -> int:
    """Start the browser in a process group of its own, with nothing of ours but two pipes."""
    said = os.open(folder / _SAID, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        return os.posix_spawn(
            command[0],
            list(command),
            _environment(folder),
            file_actions=[
                (os.POSIX_SPAWN_DUP2, nothing, 0),
                (os.POSIX_SPAWN_DUP2, nothing, 1),
                (os.POSIX_SPAWN_DUP2, said, 2),
                (os.POSIX_SPAWN_DUP2, asked, _ASKED),
                (os.POSIX_SPAWN_DUP2, answered, _ANSWERED),
            ],
            setpgroup=0,
            setsigmask=[],
            setsigdef=[signal.SIGINT, signal.SIGPIPE],
        )
    finally:
        os.close(said)
        os.close(nothing)


def _environment(folder: Path) -> dict[str, str]:
    """Return the user's environment, with all that a browser writes redirected to the folder."""
    places = ("HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")
    return {**os.environ, **dict.fromkeys(places, str(folder))}


def _memory_of_group(group: int) -> int:
    """Return the private memory of all processes of a group; 0 where that is not known."""
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            after_name = (process / "stat").read_text().rpartition(")")[2].split()
            if int(after_name[2]) != group:
                continue
            resident, shared = (process / "statm").read_text().split()[1:3]
            total += (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")
    return total
