"""Notes and progress bars on standard error."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any

import click

from modellint.base.text import escaped

PATIENCE = 1.0
"""Seconds of silence before a progress bar appears."""


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
        self._done, self._total, self._doing = 0, 0, "linting"
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
            self._done, self._total, self._doing = done, total, "linting"
            self._update()

    def say(self, text: str) -> None:
        """Show the current step, for steps that take long."""
        with self._lock:
            self._doing = printable(text)
            self._update()

    @contextmanager
    def watching_weights(self) -> Iterator[None]:
        """Show the file whose weights are read in full, and how much of them."""
        if not self._wanted:
            yield
            return
        from modellint.base.units import format_bytes
        from modellint.base.watching import listen

        listen(lambda name, read: self.say(f"{name}: {format_bytes(read)} of weights"))
        try:
            yield
        finally:
            listen(None)

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
            TextColumn,
            TimeElapsedColumn,
        )

        with self._lock, suppress(OSError):
            if not self._wanted:
                return
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.add_task("linting", total=None)
            self._bar.start()
            self._update()

    def _update(self) -> None:
        if self._bar is not None:
            self._bar.update(
                0, completed=self._done, total=self._total or None, description=self._doing
            )


def _is_ci() -> bool:
    return any(os.environ.get(name) for name in ("CI", "GITHUB_ACTIONS", "PRE_COMMIT"))
