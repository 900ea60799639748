"""The interface between a run and its engine."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from importlib import import_module
from typing import Any, Protocol

from modellint.base.errors import UsageError
from modellint.base.install import install_command
from modellint.fleets.task import FleetTask, Orders
from modellint.fleets.worker import Outcome


class WorkerDiedError(Exception):
    """The worker died that had a batch; the text says how."""


class FleetEngine(Protocol):
    """Runs `lint_batch` in other processes, and survives their deaths."""

    name: str

    @property
    def slots(self) -> int:
        """Number of batches that run at the same time."""

    def begin(self, orders: Orders) -> None:
        """Pass on to the workers what all batches need."""

    def submit(self, batch: Sequence[FleetTask]) -> Future[list[Outcome]]:
        """Have a batch linted."""

    def explained(self, error: BaseException) -> BaseException:
        """Return `WorkerDiedError` if one died, a `UsageError` that one raised, or the same."""

    def close(self) -> None:
        """Stop everything that the engine started, finished or not."""


def required(module: str, extra: str) -> Any:
    """Import the package of an engine, or say how to install it."""
    try:
        return import_module(module)
    except ImportError:
        raise UsageError(f"{extra} is not installed: {install_command(extra)}") from None
