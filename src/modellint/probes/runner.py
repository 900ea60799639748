"""Runs a request in a child process, which may crash, hang or run out of memory."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from modellint.base.children import PARENT
from modellint.base.records import dataclass
from modellint.base.temporary import temporary_folder
from modellint.base.units import format_bytes
from modellint.probes.outcome import Status
from modellint.probes.supervisor import children_of

POLL = 0.05
"""Polling interval in seconds."""
MOST_CHATTER = 64 << 20
"""Limit on the bytes a child may print."""
ANSWER = "answer.json"
TAIL = 2000
NOWHERE = "http://127.0.0.1:9"
"""A proxy that is not there: where a child cannot give up the network, most software asks it."""
LOCAL = "localhost,127.0.0.1"
_PLACES = ("TMPDIR", "TMP", "TEMP", "XDG_CACHE_HOME", "CUDA_CACHE_PATH")
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy")
_GRACE = 5.0
"""Seconds that a supervisor has to end everything that a child started."""
_LINUX = sys.platform == "linux"


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a child process."""

    seconds: float
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """End of a child: its answer, or its `death` with a description."""

    answer: dict[str, Any] | None
    death: Status | None = None
    detail: str = ""
    seconds: float = 0.0
    peak: int | None = None


def run_child(
    command: Sequence[str],
    request: Mapping[str, Any],
    limits: Limits,
    tick: Callable[[float], None] | None = None,
) -> Ended:
    """Pass `request` to the command on standard input; it writes its answer to a file.

    The file, and everything else that the child writes, is in a temporary folder. A child may write
    an early answer and improve it later: if it dies, its last answer is returned as well.
    """
    with temporary_folder() as folder:
        (folder / "request.json").write_text(json.dumps(dict(request)), encoding="utf-8")
        started = time.monotonic()
        with (folder / "request.json").open("rb") as stdin, (folder / "said").open("wb") as said:
            child = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=_environment(folder),
                start_new_session=os.name == "posix",
            )
        watch = _Watch(child, folder, limits, started, tick)
        try:
            death, detail = watch.until_end()
        finally:
            _end(child)
        answer = _read_answer(folder / ANSWER)
        if death is None and answer is None:
            death, detail = "garbage", f"no readable answer{_last_words(folder)}"
        return Ended(answer, death, detail, time.monotonic() - started, watch.peak)


def _environment(folder: Path) -> dict[str, str]:
    """Return the user's environment, with temporary files and caches redirected to the folder."""
    return {
        **os.environ,
        **dict.fromkeys(_PLACES, str(folder)),
        **dict.fromkeys((*_PROXIES, *map(str.upper, _PROXIES)), NOWHERE),
        "NO_PROXY": LOCAL,
        "no_proxy": LOCAL,
        "PYTHONIOENCODING": "utf-8",
        PARENT: str(os.getpid()),
    }


@dataclass(slots=True)
class _Watch:
    child: subprocess.Popen[bytes]
    folder: Path
    limits: Limits
    started: float
    tick: Callable[[float], None] | None
    peak: int | None = None
    asked_at: float = 0.0

    def until_end(self) -> tuple[Status | None, str]:
        while True:
            try:
                return self._verdict(self.child.wait(POLL))
            except subprocess.TimeoutExpired:
                pass
            elapsed = time.monotonic() - self.started
            if self.tick is not None:
                self.tick(elapsed)
            if elapsed > self.limits.seconds:
                return "hung", f"did not finish within {self.limits.seconds:g} s"
            memory = self._memory(elapsed)
            if memory is not None:
                self.peak = max(memory, self.peak or 0)
                if self.limits.memory is not None and memory > self.limits.memory:
                    size, limit = map(format_bytes, (memory, self.limits.memory))
                    return "out-of-memory", f"used {size}, the limit is {limit}"
            if (self.folder / "said").stat().st_size > MOST_CHATTER:
                return "garbage", "printed too much output"

    def _memory(self, elapsed: float) -> int | None:
        """Return the child's memory; only now and then off Linux, where it takes a process."""
        if not _LINUX and elapsed < self.asked_at + 1:
            return None
        self.asked_at = elapsed
        return memory_of(self.child.pid)

    def _verdict(self, code: int) -> tuple[Status | None, str]:
        if code == 0:
            return None, ""
        if code < 0:
            name = _signal_name(-code)
            if name == "SIGKILL":
                return "killed", "killed by the operating system, probably out of memory"
            return "crashed", f"native code crashed with {name}{_last_words(self.folder)}"
        if code in _WINDOWS_CRASHES:
            return "crashed", f"native code crashed with {_WINDOWS_CRASHES[code]}"
        return "failed", f"exit code {code}{_last_words(self.folder)}"


_WINDOWS_CRASHES = {0xC0000005: "an access violation", 0xC0000409: "a stack overrun"}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill the child and its descendants, if still running."""
    if os.name == "posix":
        child.terminate()  # its supervisor knows descendants that left its group
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    if child.poll() is None:
        child.kill()
    child.wait()


def _read_answer(path: Path) -> dict[str, Any] | None:
    try:
        answer = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _last_words(folder: Path) -> str:
    """Return the last line that the child printed."""
    try:
        with (folder / "said").open("rb") as said:
            said.seek(max(0, said.seek(0, os.SEEK_END) - TAIL))
            text = said.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    words = "".join(c if c.isprintable() else "?" for c in lines[-1][:200]) if lines else ""
    return f" (last output: {words})" if words else ""


def memory_of(pid: int) -> int | None:
    """Return the private memory of a process and its descendants, without files if possible."""
    if not _LINUX:
        return _memory_alone(pid)
    sizes, open_ones = [], [pid]
    while open_ones:
        each = open_ones.pop()
        sizes.append(_memory_alone(each))
        open_ones += children_of(each)
    known = [size for size in sizes if size is not None]
    return sum(known) if known else None


def _memory_alone(pid: int) -> int | None:
    if _LINUX:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return None
        sizes = dict(line.split(":", 1) for line in status.splitlines() if line.endswith("kB"))
        kinds = [int(sizes[kind].split()[0]) for kind in ("RssAnon", "RssShmem") if kind in sizes]
        return sum(kinds) * 1024 if kinds else None
    if os.name == "posix":
        done = subprocess.run(
            ["/bin/ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return int(done.stdout) * 1024 if done.stdout.strip().isdigit() else None
    return None
