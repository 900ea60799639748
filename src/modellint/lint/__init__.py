"""A run: discover files, plan, lint (or reuse the cache), judge findings, build the result."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from modellint.base.records import dataclass
from modellint.base.standins import Fetched, all_fetched
from modellint.config.load import Configs
from modellint.discovery import Discovery, discover
from modellint.lfs import pointers_resolved
from modellint.lint.judging import judge
from modellint.lint.notes import (
    about_coverage,
    about_discovery,
    about_probes,
    about_unbound,
    about_weights,
)
from modellint.lint.record import plan_files
from modellint.lint.reporting import Progress, add_reports
from modellint.lint.request import Request
from modellint.lint.result import make_result
from modellint.results.finding import Result


@dataclass(frozen=True, slots=True)
class Linted:
    """The result, and notes for the user about the run itself."""

    result: Result
    notes: tuple[str, ...] = ()
    unfinished: int = 0
    """Files that were not linted, because the run was interrupted."""
    fetched: Mapping[str, Fetched] = field(default_factory=dict)
    """Cost of reading remote models in this run, by name."""


def lint(request: Request, progress: Progress | None = None) -> Linted:
    """Lint all files that the request names."""
    started = time.perf_counter()
    configs = Configs(request.command_line)
    discovery = discover(request.paths, configs)
    with pointers_resolved(each.path for each in discovery.files if not each.is_verified) as places:
        discovery.files = [each.read_from(places.get(each.path)) for each in discovery.files]
        return _lint(discovery, request, configs, progress, started)


def _lint(
    discovery: Discovery,
    request: Request,
    configs: Configs,
    progress: Progress | None,
    started: float,
) -> Linted:
    here = configs.of(Path.cwd())
    records = plan_files(discovery.files, request.shown_as, configs)
    setups = tuple(dict.fromkeys(record.setup for record in records))
    planned = len(records)
    try:
        add_reports(records, here, progress, remember=not request.shown_as)
    except KeyboardInterrupt:
        records = [record for record in records if record.is_finished]
        if not records or request.write_baseline or not request.keeps_finished:
            raise
    judged = judge(records, setups, discovery.walked, request)
    result = make_result(records, setups, judged.remarks, request.exit_zero, started)
    notes = (
        *about_discovery(discovery),
        *judged.notes,
        *about_coverage(records),
        *about_weights(records),
        *about_probes(records),
        *about_unbound(records, request.command_line),
        *(note for setup in setups for note in setup.notes),
    )
    reports = {each.found.shown: each.report for each in records}
    by_workers = {name: each.fetched for name, each in reports.items() if each.fetched is not None}
    fetched = {**all_fetched(), **by_workers}
    return Linted(result, notes, planned - len(records), fetched)


__all__ = ["Linted", "Progress", "Request", "lint"]
