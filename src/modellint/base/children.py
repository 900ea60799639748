"""Processes that run a module of ours, and do not outlive their parent."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from contextlib import suppress
from typing import Any, BinaryIO

PARENT = "MODELLINT_PARENT"
"""Environment variable that tells a probe's child the id of its parent."""

_BEGIN = """
import sys
sys.path[:] = sys.argv[1:]  # the parent's, before anything is imported from the working folder
try:
    from modellint.{module} import main
    main()
except (ImportError, MemoryError, OSError) as error:  # of a system that has nothing left
    sys.exit(f"modellint: a process could not go on: {{error or 'not enough memory'}}")
"""


def start(module: str) -> subprocess.Popen[bytes]:
    """Start a process that runs `modellint.<module>.main()`."""
    from modellint.base import interrupts

    with interrupts.held():  # only the parent handles Ctrl-C
        return subprocess.Popen(
            [sys.executable, "-c", _BEGIN.format(module=module), *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )


def tell(process: subprocess.Popen[bytes], *messages: object) -> None:
    """Send objects."""
    stdin: Any = process.stdin
    for message in messages:
        pickle.dump(message, stdin)
    stdin.flush()


def answer(process: subprocess.Popen[bytes]) -> Any:
    """Wait for an object. It may be anything at all if the process dies while it sends."""
    stdout: Any = process.stdout
    return pickle.load(stdout)


def receive(pipe: BinaryIO) -> Any:
    """Return the next object from the parent; end this process if the parent has ended."""
    try:
        return pickle.load(pipe)
    except (EOFError, pickle.UnpicklingError):
        os._exit(1)


def end(process: subprocess.Popen[bytes]) -> str:
    """Kill a process if it is alive; return its cause of death."""
    process.kill()
    status = process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):  # what is still to be written
                pipe.close()
    if status >= 0:
        return f"ended with exit code {status}"
    import signal

    names = {int(each): each.name for each in signal.Signals}
    return f"was killed by the operating system ({names.get(-status, f'signal {-status}')})"


def live_no_longer_than(parent: int) -> None:
    """Have Linux kill this process when its parent, of that id, dies."""
    if sys.platform == "linux":
        import ctypes

        die_with_parent, kill = 1, 9
        ctypes.CDLL(None).prctl(die_with_parent, kill)
        if os.getppid() != parent:  # it died before the call
            os._exit(1)
