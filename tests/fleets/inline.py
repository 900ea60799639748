"""An engine that lints in this process, and does to chosen files what a test wants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modellint.config.load import CommandLine
from modellint.fleets.engines import WorkerDiedError
from modellint.fleets.fleet import Fleet, FleetRequest, run_fleet
from modellint.fleets.task import FleetTask, Orders, lint_task
from modellint.fleets.worker import Outcome

VALUES: Mapping[str, Any] = {"select": ("HYG005", "HYG002", "VAL003", "file"), "cache": False}


@dataclass
class InlineEngine:
    """Lints at once; `fate` may say how a file's process dies, or raise what an engine raises."""

    fate: Callable[[FleetTask], str | None] = lambda task: None
    name: str = "inline"
    slots: int = 1
    batches: list[tuple[str, ...]] = field(default_factory=list)
    """The names of the files of each batch, in the order in which they came."""
    is_closed: bool = False

    def begin(self, orders: Orders) -> None:
        self.orders = orders

    def submit(self, batch: Sequence[FleetTask]) -> Future[list[Outcome]]:
        self.batches.append(tuple(Path(task.shown).name for task in batch))
        future: Future[list[Outcome]] = Future()
        try:
            future.set_result([self.fate(task) or lint_task(self.orders, task) for task in batch])
        except Exception as error:
            future.set_exception(error)
        return future

    def explained(self, error: BaseException) -> BaseException:
        return WorkerDiedError("it was preempted") if isinstance(error, ConnectionError) else error

    def close(self) -> None:
        self.is_closed = True


def run(
    paths: Path | Iterable[Path],
    results: Path | str,
    engine: InlineEngine | None = None,
    *,
    resume: bool = False,
    **values: Any,
) -> Fleet:
    named = [paths] if isinstance(paths, Path) else list(paths)
    line = CommandLine({**VALUES, **values}, None, isolated=True)
    request = FleetRequest(named, results, line, resume=resume)
    return run_fleet(request, lambda jobs: engine or InlineEngine())
