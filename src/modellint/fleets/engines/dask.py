"""A Dask cluster. It restarts workers on its own, and tries each task on several of them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from modellint.base.errors import UsageError
from modellint.fleets.engines.engine import WorkerDiedError, required
from modellint.fleets.task import FleetTask, Orders
from modellint.fleets.worker import Outcome, lint_batch

TIMEOUT = "20s"


class DaskEngine:
    """The workers of a scheduler, given as HOST:PORT."""

    name = "dask"

    def __init__(self, address: str) -> None:
        self._distributed = required("distributed", "dask")
        try:
            self._client: Any = self._distributed.Client(f"tcp://{address}", timeout=TIMEOUT)
        except (OSError, ValueError) as error:
            raise UsageError(f"no Dask scheduler answers at {address}: {error}") from None
        workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        self.slots = sum(each["nthreads"] for each in workers)
        if not self.slots:
            self.close()
            raise UsageError(f"the scheduler at {address} has no workers")
        self._executor: Any = self._client.get_executor(pure=False)
        self._orders: Any = None

    def begin(self, orders: Orders) -> None:
        self._orders = orders  # a part of each task: what is scattered is lost with its workers

    def submit(self, batch: Sequence[FleetTask]) -> Future[list[Outcome]]:
        future: Future[list[Outcome]] = self._executor.submit(lint_batch, self._orders, batch)
        return future

    def explained(self, error: BaseException) -> BaseException:
        if isinstance(error, self._distributed.scheduler.KilledWorker):
            return WorkerDiedError("it ended abruptly, on each worker of Dask that tried")
        return error

    def close(self) -> None:
        self._client.close()
