"""The process that asks onnx's C++ library about models that may kill it."""

from __future__ import annotations

import mmap
import os
import pickle
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from modellint.base.children import live_no_longer_than, receive
from modellint.native import library
from modellint.native.inference import convert_version, infer_shapes

_TASKS: Mapping[str, Callable[..., bytes]] = {
    "infer_shapes": infer_shapes,
    "convert_version": convert_version,
}
SECONDS = 20.0
"""Processor time for one model."""
MEMORY, TIMES = 1 << 29, 32
"""Bytes that a model may take besides the libraries: so many, and so many times its size."""
ELSEWHERE = 3 << 30
"""Address space of the libraries on systems that do not state it."""


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for Windows, where signals cannot be blocked
    asked = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)  # the last words of assertions
    live_no_longer_than(receive(asked))
    library()
    idle = _address_space()
    while True:
        task, serialized, arguments = receive(asked)
        _limit_memory(idle + MEMORY + TIMES * len(serialized))
        pickle.dump(_answer(_TASKS[task], serialized, arguments), answers)
        answers.flush()


def _answer(
    task: Callable[..., bytes], serialized: bytes, arguments: Mapping[str, object]
) -> tuple[bytes, str | None]:
    """Return the model that onnx derives from another, or the message of its exception."""
    _limit_time(SECONDS)
    try:
        return task(serialized, **arguments), None
    except Exception as error:  # onnx raises its own, the standard ones and protobuf's
        return b"", str(error) or type(error).__name__
    finally:
        _limit_time(0)


def _limit_time(seconds: float) -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)  # kills


def _address_space() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE
    except OSError:
        return ELSEWHERE


def _limit_memory(most: int) -> None:
    with suppress(ImportError, OSError, ValueError):  # not on Windows; or the limit is lower
        import resource

        _, highest = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (most, highest))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
