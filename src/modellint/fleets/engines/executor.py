"""Executors of `concurrent.futures`: threads of our own, or whatever a program brings along."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor

from modellint.fleets.engines.engine import WorkerDiedError
from modellint.fleets.task import FleetTask, Orders
from modellint.fleets.worker import Outcome, end_children, lint_batch
from modellint.workers import cores


class ExecutorEngine:
    """An executor. If it breaks, which is for good, threads of our own finish the work."""

    def __init__(self, executor: Executor | None = None, processes: int | None = None) -> None:
        self.name = "local" if executor is None else type(executor).__name__
        self.slots = processes or _workers(executor) or cores()
        self._own = ThreadPoolExecutor(self.slots, "modellint-fleet") if executor is None else None
        self._executor = executor or self._own
        self._orders: Orders | None = None

    def begin(self, orders: Orders) -> None:
        self._orders = orders

    def submit(self, batch: Sequence[FleetTask]) -> Future[list[Outcome]]:
        assert self._executor is not None
        assert self._orders is not None
        try:
            return self._executor.submit(lint_batch, self._orders, batch)
        except BrokenExecutor:
            self._executor = self._own = ThreadPoolExecutor(self.slots, "modellint-fleet")
            return self._executor.submit(lint_batch, self._orders, batch)

    def explained(self, error: BaseException) -> BaseException:
        return WorkerDiedError("it ended abruptly") if isinstance(error, BrokenExecutor) else error

    def close(self) -> None:
        if self._orders is not None:
            end_children(self._orders)
        if self._own is not None:
            self._own.shutdown(cancel_futures=True)


def _workers(executor: Executor | None) -> int | None:
    """Return the number of workers of the library's own executors; None for all others."""
    number = getattr(executor, "_max_workers", None)
    return number if isinstance(number, int) and number > 0 else None
