"""`modellint fleet`: many models on an engine of many workers, and reports of such runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modellint.base.errors import UsageError
from modellint.base.paths import public_address
from modellint.base.text import counted
from modellint.cli.command import Command, option
from modellint.cli.configuration import configurable
from modellint.cli.console import Progress, note
from modellint.cli.options import given_settings, setting, settings_in
from modellint.cli.outputs import color_option
from modellint.cli.places import Place, PlaceType
from modellint.config.load import CommandLine
from modellint.config.settings import DEPLOYMENT, FILES, LANGUAGE, OUTPUT, RULES, RUNNING

if TYPE_CHECKING:
    from modellint.fleets.task import FleetTask

REPORT = "report"
RESULTS = "Results"
SILENCE = 60.0
"""Seconds between two lines about progress where there is no bar: in a log."""

EPILOG = """Examples:
  modellint fleet models/ --target a10 --results nightly/
  modellint fleet s3://bucket/models/ --results s3://bucket/nightly/
  modellint fleet models/ --results nightly/ --engine dask://scheduler:8786
  modellint fleet models/ --results nightly/ --resume      continue where it ended
  modellint fleet report nightly/ --by owner --against last-week/

Exit codes:
  0  no findings at or above --fail-on    1    findings
  2  usage or configuration error         3    internal error, or a file killed its workers
  130, 143, 129  ended by SIGINT, SIGTERM, SIGHUP; what is finished is kept
"""


class FleetCommand(Command):
    """Command that lints, unless the first word is the verb for reports."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        if args and args[0] == REPORT:
            from modellint.cli.fleet_report import report

            verb: click.Command = report
            return verb.make_context(f"{info_name} {REPORT}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(cls=FleetCommand, epilog=EPILOG)
@click.argument("paths", nargs=-1, required=True, type=PlaceType(), metavar="PATH...")
@option(
    "--engine",
    group=RUNNING,
    metavar="NAME",
    default="local",
    help="local, dask://HOST:PORT, ray://HOST:PORT, spark.  [default: local]",
)
@setting("jobs", help="Number of processes of 'local'.  [default: one per core]")
@option(
    "--results",
    group=RESULTS,
    metavar="DIR|URL",
    required=True,
    type=PlaceType(),
    help="Folder for the results: a new one, or with --resume that of an earlier run.",
)
@option(
    "--format",
    "form",
    group=RESULTS,
    type=click.Choice(["jsonl", "parquet"]),
    default="jsonl",
    help="File format of the tables.  [default: jsonl]",
)
@option("--resume", group=RESULTS, is_flag=True, help="Continue a run; finished models are kept.")
@settings_in(DEPLOYMENT)
@settings_in(LANGUAGE)
@settings_in(RULES)
@settings_in(FILES)
@setting("max_findings_per_rule")
@option("--quiet", "-q", group=OUTPUT, is_flag=True, help="Print nothing but errors.")
@color_option
@setting("fail_on")
@setting("baseline")
@configurable
def command(paths: tuple[Place, ...], **given: Any) -> int:
    """Lint many models, and store the findings as tables.

    'modellint fleet report DIR' summarizes them.
    """
    from modellint.fleets.engines import make_engine
    from modellint.fleets.fleet import FleetRequest, run_fleet

    request = FleetRequest(
        paths,
        given["results"],
        CommandLine(given_settings(given), given["config"], given["isolated"]),
        given["form"],
        given["resume"],
    )
    for path in paths:
        if isinstance(path, Path) and not path.exists():
            raise UsageError(f"{path}: no such file or folder")
    with Progress(wanted=not given["quiet"]) as progress:
        try:
            fleet = run_fleet(
                request,
                lambda jobs: make_engine(given["engine"], jobs),
                _FleetWatch(progress, quiet=given["quiet"]),
            )
        except KeyboardInterrupt:
            place = public_address(str(given["results"]))
            note(f"finished models are in {place}; continue with --resume")
            raise
    if not given["quiet"]:
        from modellint.report.fleet import write_run
        from modellint.report.options import Options

        write_run(fleet.surveyed(), fleet.earlier, sys.stdout, Options(color=given["color"]))
        for text in dict.fromkeys(fleet.notes):
            note(text)
    return fleet.exit_code


class _FleetWatch:
    """Shows how far a run is and when it will be finished: in a bar, or in a line now and then."""

    def __init__(self, progress: Progress, *, quiet: bool) -> None:
        self._progress = progress
        self._quiet = quiet

    def __call__(self, tasks: Sequence[FleetTask]) -> Callable[[FleetTask], None]:
        from modellint.fleets.forecast import Forecast, rounded

        forecast = Forecast(len(tasks), time.monotonic())
        said = time.monotonic()

        def done(task: FleetTask) -> None:
            nonlocal said
            now = time.monotonic()
            forecast.done(now)
            left = forecast.left()
            tail = f", {rounded(left)} left" if left is not None else ""
            self._progress(forecast.finished, forecast.total)
            self._progress.say(f"linting{tail}")
            if now - said > SILENCE and not self._quiet and not self._progress.is_shown:
                said = now
                note(f"{forecast.finished:,} of {counted(forecast.total, 'model')} linted{tail}")

        return done
