"""Standard streams that are closed, full, or no longer read."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

STDOUT = "standard output"


def prepare() -> None:
    """Open the standard streams that the program was started without, and watch the others.

    Otherwise the next file to be opened would take the place of one, and be written to instead.
    Using standard input or output still fails, as on any closed file.
    """
    for descriptor, name, mode, access in (
        (0, "stdin", "r", os.O_WRONLY),
        (1, "stdout", "w", os.O_RDONLY),
        (2, "stderr", "w", os.O_WRONLY),
    ):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, access)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            setattr(sys, name, open(descriptor, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    sys.stdout = _over(_Output, sys.stdout)
    sys.stderr = _over(_ErrorOutput, sys.stderr)


class _Output(io.FileIO):
    """Standard output, whose errors say that they are about it."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            error.filename = STDOUT
            raise


class _ErrorOutput(io.FileIO):
    """Standard error; there is nowhere to report that it cannot be written to."""

    def write(self, data: Any) -> int:
        with suppress(OSError):
            super().write(data)
        return len(data)


def _over(kind: type[io.FileIO], stream: Any) -> Any:
    """Return a stream like another, whose file is of another kind."""
    raw = getattr(stream.buffer, "raw", stream.buffer)
    if type(raw) is not io.FileIO:  # a console of Windows
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(kind(raw.fileno(), "w", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
    )


def is_lost_reader(error: OSError) -> bool:
    """Return True if the reader of standard output closed it, as `head` does."""
    return isinstance(error, BrokenPipeError) and error.filename == STDOUT


def drop_output() -> None:
    """Discard what is still to be written to standard output."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Write to standard output at once, and continue without it if its reader is gone."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError as error:
        if not is_lost_reader(error):
            raise
        drop_output()
