"""The course of a run: batches go to an engine, the largest files first, and rows come back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from queue import SimpleQueue

from modellint.base.errors import UsageError
from modellint.fleets.engines.engine import FleetEngine, WorkerDiedError
from modellint.fleets.task import FleetTask, Orders, Policy, Rows, rows_of_death
from modellint.fleets.worker import Outcome

AHEAD = 2
"""Batches per slot that an engine has at a time, so that no worker waits."""
MOST_FILES, MOST_BYTES = 32, 16 << 20
"""Maximum number of files in a batch, and their total size: large files go alone."""
SHARES = 8
"""Minimum number of batches per slot, so that all workers end at about the same time."""

Batch = tuple[FleetTask, ...]
Done = Callable[[FleetTask, Rows], None]
"""Callback for each finished file."""


class Course:
    """Hands out batches, and decides what becomes of files whose process dies.

    What an engine loses, with the worker that had it, is handed out again file by file. A file
    whose process dies is tried once more after all others, when none of them needs the memory;
    after that, the death is its finding.
    """

    def __init__(self, engine: FleetEngine, policies: Sequence[Policy], done: Done) -> None:
        self._engine = engine
        self._policies = policies
        self._done = done
        self._ended: SimpleQueue[Future[list[Outcome]]] = SimpleQueue()
        self._running: dict[Future[list[Outcome]], Batch] = {}

    def run(self, tasks: Sequence[FleetTask], orders: Orders) -> None:
        if not tasks:
            return
        self._engine.begin(orders)
        slots = self._engine.slots
        died = self._share_out(batches(tasks, slots), AHEAD * slots)
        for task, how in self._share_out([(task,) for task in died], 1).items():
            self._done(task, rows_of_death(task, self._policies[task.policy], how))

    def _share_out(self, batches: Sequence[Batch], most: int) -> dict[FleetTask, str]:
        """Have batches linted, `most` at a time; return files whose process died, and of what."""
        waiting, died = deque(batches), dict[FleetTask, str]()
        while waiting or self._running:
            while waiting and len(self._running) < most:
                self._submit(waiting.popleft())
            future = self._ended.get()
            batch = self._running.pop(future)
            outcomes = self._outcomes(future)
            if isinstance(outcomes, str) and len(batch) > 1:
                waiting.extend((task,) for task in batch)
                continue
            if isinstance(outcomes, str):
                outcomes = [outcomes]
            for task, outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, str):
                    died[task] = outcome
                else:
                    self._done(task, outcome)
        return died

    def _submit(self, batch: Batch) -> None:
        future = self._engine.submit(batch)
        self._running[future] = batch
        future.add_done_callback(self._ended.put)

    def _outcomes(self, future: Future[list[Outcome]]) -> list[Outcome] | str:
        """Return what became of a batch, or how the worker died that had it."""
        try:
            return future.result()
        except CancelledError:
            raise UsageError(
                f"{self._engine.name} dropped what it was to do, as if its cluster had ended; "
                "continue with --resume"
            ) from None
        except Exception as error:
            explained = self._engine.explained(error)
            if isinstance(explained, WorkerDiedError):
                return str(explained)
            raise explained from None


def batches(tasks: Sequence[FleetTask], slots: int) -> list[Batch]:
    """Return batches of tasks, the largest files first, and small ones together."""
    return list(_grouped(sorted(tasks, key=lambda task: -task.size), slots))


def _grouped(tasks: Sequence[FleetTask], slots: int) -> Iterator[Batch]:
    most = max(1, min(MOST_FILES, len(tasks) // (SHARES * slots)))
    batch: list[FleetTask] = []
    size = 0
    for task in tasks:
        if batch and (len(batch) == most or size + task.size > MOST_BYTES):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(task)
        size += task.size
    if batch:
        yield tuple(batch)
