"""The folder of a run's results: two tables in parts, and one file that says what they are.

    run.json               what was run, and its summary
    models/part-00001.*    a row for each model
    findings/part-00001.*  a row for each finding

A part is written next to its place and moved there, findings before models: what has a row among
the models is done, and all its findings are there.
"""

from __future__ import annotations

import datetime
import json
import re
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, field, replace
from typing import Any, Literal

from modellint.base.errors import UsageError
from modellint.base.rebuild import checked_from_plain
from modellint.base.records import dataclass
from modellint.fleets.folders import ResultsFolder
from modellint.fleets.parts import FINDINGS, FORMATS, MODELS, FormatName, PartFormat
from modellint.fleets.task import Row, Rows
from modellint.results.surveyed import Counts, SurveyedRun

RUN, KIND = "run.json", "modellint-fleet"
MOST_MODELS = 5000
"""Models of a part, which are held in memory until it is written."""
LEAST_SECONDS, SHARE = 5.0, 0.01
"""A part is written after so many seconds, or this share of the time so far: few parts, and little
is lost if this process is killed."""
_PART = re.compile(r"part-(\d{5,9})\.(jsonl|parquet)")
_COUNTS = ("errors", "warnings", "infos", "suppressed", "failing", "internal")


@dataclass(frozen=True, slots=True)
class FleetRun:
    """A run's input and its summary."""

    modellint: str
    key: str
    format: FormatName
    paths: tuple[str, ...]
    deployments: tuple[str, ...]
    engine: str
    workers: int
    started: str
    kind: Literal["modellint-fleet"] = "modellint-fleet"
    version: Literal[1] = 1
    finished: str | None = None
    """When it was finished; None until then."""
    seconds: float = 0.0
    """Time that was spent on it, all sessions together."""
    models: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    """Findings that count by severity, and those that are suppressed, fail the run, or are about
    modellint itself."""

    def surveyed(self, shown: str) -> SurveyedRun:
        """Return what reports know of it, whose folder has this name."""
        counts = self.counts
        return SurveyedRun(
            results=shown,
            modellint=self.modellint,
            settings=self.key,
            started=self.started,
            finished=self.finished,
            engine=self.engine,
            workers=self.workers,
            seconds=self.seconds,
            models=self.models,
            suppressed=counts.get("suppressed", 0),
            counts=Counts(*(counts.get(name, 0) for name in ("errors", "warnings", "infos"))),
            deployments=self.deployments,
        )


class Results:
    """The results of a run that is under way."""

    def __init__(self, folder: ResultsFolder, run: FleetRun) -> None:
        self.run = run
        self._folder = folder
        self._format: PartFormat = FORMATS[run.format]
        self._started = time.monotonic()
        self._written = self._started
        self._before = run.seconds
        self._models: list[Row] = []
        self._findings: list[Row] = []
        self._counts: Counter[str] = Counter()
        self._done = 0
        self._part = max((number for number, _ in _parts(folder, "models", run)), default=0)

    def continued(self, editions: Mapping[str, str]) -> set[str]:
        """Return the models that are done, of those whose paths and editions these are.

        Forgets models that are gone or have changed since, and findings of no model.
        """
        parts = dict(_parts(self._folder, "models", self.run))
        for number, _ in _parts(self._folder, "findings", self.run):
            if number not in parts:
                self._write("findings", number, [])
        done: set[str] = set()
        for number, name in parts.items():
            rows = list(self._format.read(self._folder, name, MODELS))
            current = [row for row in rows if editions.get(str(row["path"])) == row["edition"]]
            done |= {str(row["path"]) for row in current}
            self._count(current)
            if len(current) < len(rows):
                self._rewrite(number, current)
        return done

    def add(self, rows: Rows) -> None:
        model, findings = rows
        self._models.append(model)
        self._findings += findings
        self._count([model])
        now = time.monotonic()
        patience = max(LEAST_SECONDS, SHARE * (now - self._started))
        if now - self._written > patience or len(self._models) >= MOST_MODELS:
            self.flush()

    def flush(self, *, finished: bool = False) -> FleetRun:
        """Write the pending rows, and return the summary of the run."""
        if self._models:
            self._part += 1
            self._write("findings", self._part, self._findings)
            self._write("models", self._part, self._models)
            self._models, self._findings = [], []
        self._written = time.monotonic()
        self.run = replace(
            self.run,
            finished=now() if finished else None,
            seconds=round(self._before + self._written - self._started, 3),
            models=self._done,
            counts={name: self._counts[name] for name in _COUNTS},
        )
        write_run(self._folder, self.run)
        return self.run

    def _count(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._done += len(rows)
        for name in _COUNTS:
            self._counts[name] += sum(row[name] for row in rows)

    def _rewrite(self, number: int, models: Sequence[Row]) -> None:
        kept = {row["path"] for row in models}
        rows = self._format.read(self._folder, self._name("findings", number), FINDINGS)
        findings = [row for row in rows if row["path"] in kept]
        # Models first: one that loses its row is linted again, with or without its findings.
        self._write("models", number, models)
        self._write("findings", number, findings)

    def _write(self, table: str, number: int, rows: Iterable[Row]) -> None:
        columns = MODELS if table == "models" else FINDINGS
        self._folder.write(self._name(table, number), self._format.encoded(list(rows), columns))

    def _name(self, table: str, number: int) -> str:
        return f"{table}/part-{number:05}{self._format.suffix}"


def now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def begin(folder: ResultsFolder, run: FleetRun, *, resume: bool) -> Results:
    """Return the results to add to: new ones, or those of an earlier session of the same run."""
    earlier = _earlier(folder)
    if earlier is not None:
        if not resume:
            raise UsageError(
                f"{folder.shown} holds a run of {earlier.started}; continue it with --resume, or "
                "name another folder"
            )
        if (earlier.key, earlier.format) != (run.key, run.format):
            raise UsageError(
                f"{folder.shown} holds a run with different settings, format or modellint version, "
                "which cannot be continued; name another folder"
            )
        return Results(folder, replace(run, started=earlier.started, seconds=earlier.seconds))
    if not folder.is_free():
        raise UsageError(f"{folder.shown} is not an empty folder; name a new one for the results")
    folder.prepare(("models", "findings"))
    write_run(folder, run)
    return Results(folder, run)


def write_run(folder: ResultsFolder, run: FleetRun) -> None:
    folder.write(RUN, f"{json.dumps(asdict(run), indent=2)}\n".encode())


def read_run(folder: ResultsFolder) -> FleetRun:
    run = _earlier(folder)
    if run is None:
        raise UsageError(f"{folder.shown} contains no results of 'modellint fleet'")
    return run


def _earlier(folder: ResultsFolder) -> FleetRun | None:
    """Return the run whose results a folder holds; None if it holds none."""
    try:
        run = checked_from_plain(FleetRun, json.loads(folder.read(RUN)))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"cannot read {folder.named(RUN)}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{folder.named(RUN)} is damaged: {error}") from None
    if run.kind != KIND or run.version != 1:
        raise UsageError(f"{folder.named(RUN)} was not written by this version of modellint")
    return run


def read_models(folder: ResultsFolder, run: FleetRun) -> Iterator[Row]:
    for _, name in _parts(folder, "models", run):
        yield from FORMATS[run.format].read(folder, name, MODELS)


def read_findings(
    folder: ResultsFolder, run: FleetRun, columns: Collection[str] = FINDINGS
) -> Iterator[Row]:
    """Iterate over findings, of some columns if that is all that is needed."""
    numbers = {number for number, _ in _parts(folder, "models", run)}
    wanted = {name: FINDINGS[name] for name in columns}
    for number, name in _parts(folder, "findings", run):
        if number in numbers:
            yield from FORMATS[run.format].read(folder, name, wanted)


def _parts(folder: ResultsFolder, table: str, run: FleetRun) -> Iterator[tuple[int, str]]:
    """Iterate over the parts of a table in order."""
    suffix = FORMATS[run.format].suffix
    for name in sorted(folder.names(table)):
        part = _PART.fullmatch(name)
        if part is not None and name.endswith(suffix):
            yield int(part[1]), f"{table}/{name}"


__all__ = ["FleetRun", "Results", "begin", "now", "read_findings", "read_models", "read_run"]
