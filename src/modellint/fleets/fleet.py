"""A run of a fleet: gather the files, lint those not done yet, store the results."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field, replace
from pathlib import Path

from modellint.base.paths import is_address
from modellint.base.records import dataclass
from modellint.base.version import __version__
from modellint.config.load import CommandLine, Configs
from modellint.fleets.engines import FleetEngine
from modellint.fleets.folders import ResultsFolder, results_folder
from modellint.fleets.gathering import FleetFiles, gather
from modellint.fleets.owners import read_owners
from modellint.fleets.parts import FormatName, require
from modellint.fleets.results import FleetRun, Results, begin, now, read_findings, read_models
from modellint.fleets.running import Course
from modellint.fleets.survey import survey
from modellint.fleets.task import FleetTask, Row, Rows, make_orders
from modellint.planning.asking import fetch_limits
from modellint.remote.reaching import reached
from modellint.remote.urls import parsed
from modellint.results.surveyed import By, Survey, SurveyedRun

Watch = Callable[[Sequence[FleetTask]], Callable[[FleetTask], None]]
"""Given the files of a run, returns a callback for each that is finished."""
FINDINGS, INTERNAL_ERROR = 1, 3


@dataclass(frozen=True, slots=True)
class FleetRequest:
    """Input of a run."""

    paths: Sequence[Path | str]
    """Files and folders, or their addresses."""
    results: Path | str
    """A folder here, or the address of one in a bucket."""
    command_line: CommandLine = field(default_factory=lambda: CommandLine({}))
    format: FormatName = "jsonl"
    resume: bool = False


@dataclass(frozen=True, slots=True)
class Fleet:
    """A finished run, whose tables are in a folder."""

    run: FleetRun
    results: Path | str
    earlier: int = 0
    """Models that earlier sessions had done."""
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        if self.run.counts.get("internal"):
            return INTERNAL_ERROR
        return FINDINGS if self.run.counts.get("failing") else 0

    @property
    def ok(self) -> bool:
        """True if no finding is as severe as `fail_on`, and nothing went wrong."""
        return self.exit_code == 0

    def models(self) -> Iterator[Row]:
        """Iterate over the rows of models."""
        return read_models(results_folder(self.results), self.run)

    def findings(self) -> Iterator[Row]:
        """Iterate over the rows of findings."""
        return read_findings(results_folder(self.results), self.run)

    def survey(
        self,
        by: By = "rule",
        against: str | os.PathLike[str] | None = None,
        owners: str | os.PathLike[str] | None = None,
    ) -> Survey:
        """Summarize the findings, and compare them with the results of an earlier run."""
        return survey(
            self.results,
            by,
            os.fspath(against) if against is not None else None,
            read_owners(Path(owners)) if owners is not None else None,
        )

    def surveyed(self) -> SurveyedRun:
        return self.run.surveyed(results_folder(self.results).shown)


def run_fleet(
    request: FleetRequest,
    connect: Callable[[int | None], FleetEngine],
    seen: Watch = lambda tasks: lambda task: None,
) -> Fleet:
    """Lint all files of a request with the engine that `connect` makes of a number of jobs."""
    require(request.format)
    folder = results_folder(request.results)
    here = Configs(request.command_line).of(Path.cwd())
    with reached(request.paths, fetch_limits(here)) as (paths, remarks):
        gathered = gather(paths, request.command_line)
        fleet = _run(request, folder, gathered, connect(here.settings.jobs), seen)
    return replace(fleet, notes=(*remarks, *fleet.notes))


def _run(
    request: FleetRequest,
    folder: ResultsFolder,
    gathered: FleetFiles,
    engine: FleetEngine,
    seen: Watch,
) -> Fleet:
    try:
        run = FleetRun(
            modellint=__version__,
            key=gathered.key,
            format=request.format,
            paths=tuple(map(_shown, request.paths)),
            deployments=gathered.deployments,
            engine=engine.name,
            workers=engine.slots,
            started=now(),
        )
        results = begin(folder, run, resume=request.resume)
        done = results.continued({task.shown: task.edition for task in gathered.tasks})
        left = [task for task in gathered.tasks if task.shown not in done]
        _lint(left, gathered, engine, results, seen(left))
    finally:
        engine.close()
    return Fleet(results.run, request.results, len(done), gathered.notes)


def _shown(place: Path | str) -> str:
    """Return a path, or an address without its secrets."""
    text = str(place)
    return parsed(text).shown_whole if is_address(text) else text


def _lint(
    tasks: Sequence[FleetTask],
    gathered: FleetFiles,
    engine: FleetEngine,
    results: Results,
    seen: Callable[[FleetTask], None],
) -> None:
    def done(task: FleetTask, rows: Rows) -> None:
        results.add(rows)
        seen(task)

    landmark = next((task.path for task in tasks if not is_address(task.path)), "")
    orders = make_orders(landmark, gathered.plans, gathered.policies)
    try:
        Course(engine, gathered.policies, done).run(tasks, orders)
    except BaseException:
        results.flush()  # what is finished is kept
        raise
    results.flush(finished=True)
