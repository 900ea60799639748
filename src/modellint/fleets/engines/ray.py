"""A Ray cluster, through the server that it has for clients."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from modellint.base.errors import UsageError
from modellint.fleets.engines.engine import WorkerDiedError, required
from modellint.fleets.task import FleetTask, Orders
from modellint.fleets.worker import Outcome, lint_batch


class RayEngine:
    """The processors of a cluster whose head is at HOST:PORT."""

    name = "ray"

    def __init__(self, address: str) -> None:
        self._ray = required("ray", "ray")
        try:
            self._ray.init(f"ray://{address}", log_to_driver=False, logging_level="error")
        except (OSError, RuntimeError, ValueError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise UsageError(f"no Ray cluster answers at {address}: {reason}") from None
        self.slots = int(self._ray.cluster_resources().get("CPU", 1))
        # What becomes of a batch whose worker dies is decided by us, and is the same everywhere.
        self._lint: Any = self._ray.remote(num_cpus=1, max_retries=0)(lint_batch)
        self._orders: Any = None

    def begin(self, orders: Orders) -> None:
        self._orders = self._ray.put(orders)

    def submit(self, batch: Sequence[FleetTask]) -> Future[list[Outcome]]:
        future: Future[list[Outcome]] = self._lint.remote(self._orders, batch).future()
        return future

    def explained(self, error: BaseException) -> BaseException:
        errors = self._ray.exceptions
        if isinstance(error, errors.RayTaskError):
            cause: BaseException = error.cause
            return cause
        deaths = (
            errors.WorkerCrashedError,
            errors.NodeDiedError,
            errors.OutOfMemoryError,
            errors.ObjectLostError,
        )
        return WorkerDiedError(f"it {_how(error)}") if isinstance(error, deaths) else error

    def close(self) -> None:
        self._ray.shutdown()


def _how(error: BaseException) -> str:
    return "needed too much memory" if "OutOfMemory" in type(error).__name__ else "ended abruptly"
