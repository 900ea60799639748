"""A Spark cluster: each batch is a job of one partition, so each can fail on its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from modellint.base.errors import UsageError
from modellint.fleets.engines.engine import WorkerDiedError, required
from modellint.fleets.task import FleetTask, Orders
from modellint.fleets.worker import Outcome, lint_batch

_RAISED = re.compile(r"UsageError: (.+)")
_DEATHS = ("Python worker exited unexpectedly", "ExecutorLostFailure", "Python worker has crashed")


class SparkEngine:
    """The executors of a session: one that is there, or a new one, of a master if one is named."""

    name = "spark"

    def __init__(self, master: str | None) -> None:
        sql = required("pyspark.sql", "spark")
        builder = sql.SparkSession.builder.appName("modellint fleet")
        if master is not None:
            builder = builder.master(master)
        self._is_ours = sql.SparkSession.getActiveSession() is None
        try:
            self._session: Any = builder.getOrCreate()
        except Exception as error:  # of Java, whose classes are made while it runs
            first = str(error).strip().partition("\n")[0]
            raise UsageError(f"no Spark session could be started: {first}") from None
        self._context: Any = self._session.sparkContext
        self.slots = int(self._context.defaultParallelism)
        self._threads = ThreadPoolExecutor(2 * self.slots, "modellint-spark")
        self._orders: Any = None

    def begin(self, orders: Orders) -> None:
        self._orders = self._context.broadcast(orders)

    def submit(self, batch: Sequence[FleetTask]) -> Future[list[Outcome]]:
        return self._threads.submit(self._collected, batch)

    def explained(self, error: BaseException) -> BaseException:
        text = str(error)
        raised = _RAISED.search(text)
        if raised is not None:
            return UsageError(raised[1].strip())
        if any(death in text for death in _DEATHS):
            return WorkerDiedError("it ended abruptly")
        return error

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._is_ours:
            self._session.stop()

    def _collected(self, batch: Sequence[FleetTask]) -> list[Outcome]:
        work = partial(_lint, self._orders)
        rows: list[Outcome] = self._context.parallelize([batch], 1).flatMap(work).collect()
        return rows


def _lint(orders: Any, batch: Sequence[FleetTask]) -> list[Outcome]:
    return lint_batch(orders.value, batch)
