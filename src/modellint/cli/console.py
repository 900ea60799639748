"""Notes and progress bars on standard error."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any

import click

from modellint.base.text import escaped, shorten

PATIENCE = 1.0
"""Seconds of silence before a progress bar appears."""
SLOW = 2.0
"""Seconds after which the file that they took is named."""
LARGE = 100 << 20
"""Bytes of weights from which the bar says how to leave them out."""
WIDE, BESIDE = 120, 22
"""Columns from which the bar is long, and those of the figures next to it."""
LINTING = "linting"


def printable(text: str) -> str:
    """Escape control characters: names in models, paths and configurations are untrusted."""
    return escaped(text, keep="\n\t")


def note(text: str) -> None:
    click.echo(f"{click.style('note:', fg='cyan')} {printable(text)}", err=True)


class Progress:
    """Progress bar on standard error, shown once the work proves slow and never in a log."""

    def __init__(self, *, wanted: bool = True) -> None:
        self._wanted = wanted and sys.stderr.isatty() and not _is_ci()
        self._lock = threading.Lock()
        self._done, self._total, self._doing = 0, 0, LINTING
        self._files: dict[str, float] = {}
        """Files in work, and when it began, the oldest first."""
        self._weights = "", ""
        """The file whose weights are read, and how much of them."""
        self._bar: Any = None
        self._timer = threading.Timer(PATIENCE, self._show)
        self._timer.daemon = True

    @property
    def is_shown(self) -> bool:
        """True if there is a terminal to show it on."""
        return self._wanted

    def __enter__(self) -> Progress:
        if self._wanted:
            self._timer.start()
        return self

    def __call__(self, done: int, total: int) -> None:
        with self._lock:
            self._done, self._total, self._doing = done, total, LINTING
            self._weights = "", ""
            self._update()

    def say(self, text: str) -> None:
        """Show the current step, for steps that take long."""
        with self._lock:
            self._doing = printable(text)
            self._update()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Show the file that takes long, and how much of its weights is read."""
        if not self._wanted:
            yield
            return
        from modellint.base.watching import watch

        watch(self)
        try:
            yield
        finally:
            watch(None)

    def begin(self, name: str) -> None:
        with self._lock:
            self._files[name] = time.monotonic()

    def end(self, name: str) -> None:
        with self._lock:
            self._files.pop(name, None)

    def read(self, name: str, nbytes: int) -> None:
        from modellint.base.units import format_bytes

        hint = " (--no-weights)" if nbytes >= LARGE else ""
        with self._lock:
            self._weights = name, f": {format_bytes(nbytes)} of weights{hint}"
            self._update()

    def _said(self, room: int) -> str:
        """Return the current step; if one file takes long, with its name."""
        if self._doing != LINTING:
            return shorten(self._doing, room)
        name, more = self._weights
        if more:
            return f"{shorten(printable(name), room - len(more))}{more}"
        oldest = next(iter(list(self._files.items())), None)
        if oldest is None or time.monotonic() - oldest[1] < SLOW:
            return LINTING
        return f"{LINTING} {shorten(printable(oldest[0]), room - len(LINTING) - 1)}"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._wanted = False
            if self._bar is not None:
                self._bar.stop()

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            ProgressColumn,
            Task,
            TimeElapsedColumn,
        )
        from rich.text import Text as RichText

        said, console = self._said, Console(stderr=True)
        length = 40 if console.width >= WIDE else 12

        class Doing(ProgressColumn):
            def render(self, task: Task) -> RichText:
                return RichText(said(max(console.width - length - BESIDE, 40)), no_wrap=True)

        with self._lock, suppress(OSError):
            if not self._wanted:
                return
            self._bar = Progress(
                Doing(),
                BarColumn(length),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=console,
                transient=True,
            )
            self._bar.add_task(LINTING, total=None)
            self._bar.start()
            self._update()

    def _update(self) -> None:
        if self._bar is not None:
            self._bar.update(0, completed=self._done, total=self._total or None)


def _is_ci() -> bool:
    return any(os.environ.get(name) for name in ("CI", "GITHUB_ACTIONS", "PRE_COMMIT"))
