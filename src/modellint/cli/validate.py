"""`modellint validate`: estimates of time against measurements."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, TextIO

import click

from modellint.base.errors import UsageError
from modellint.cli.command import Command, option
from modellint.cli.compare import parse_share
from modellint.cli.outputs import JSON, color_option, list_options, write_list
from modellint.config.settings import OUTPUT
from modellint.report.options import Options

WHAT, LIMITS = "Estimates", "Limits"
WRONG, DONE = 1, 0

EPILOG = """Examples:
  modellint validate runs/ --target my-cpu.toml --models models/
  modellint validate runs/ --target a10 --models models/ --max-mape 15   for CI

Exit codes:
  0  within --max-mape    1  beyond it    2  usage error
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUNS...")
@option(
    "--target",
    "-t",
    group=WHAT,
    required=True,
    metavar="NAME",
    help="Device of the runs: an id, or a target file.",
)
@option(
    "--models",
    group=WHAT,
    multiple=True,
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Models of the runs, besides those of suites; repeatable.",
)
@option(
    "--max-mape",
    group=LIMITS,
    metavar="PERCENT",
    help="Exit with 1 if the mean error is larger (example: 15).",
)
@list_options()
@option("--verbose", "-v", group=OUTPUT, is_flag=True, help="Show all rows.")
@color_option
def command(runs: tuple[Path, ...], **given: Any) -> int:
    """Estimate the time of measured models, and show how far off the estimates are."""
    from modellint.base.temporary import temporary_folder
    from modellint.benching.measured_models import ModelFinder
    from modellint.benching.validating import validate
    from modellint.profiles import read_runs
    from modellint.targets import find_target_or_file

    limit = parse_share(given["max_mape"], "--max-mape")
    target = find_target_or_file(given["target"])
    with temporary_folder() as folder:
        finder = ModelFinder(given["models"], folder)
        result = validate(finder.found(read_runs(runs)), target)
    options = Options(verbose=given["verbose"], color=given["color"])
    write_list(given, partial(_draw, result.to_json(), target.name), options=options)
    mape = result.mape
    if limit is None:
        return DONE
    if mape is None:
        raise UsageError("no run could be estimated; are their models among --models?")
    return WRONG if mape > limit else DONE


def _draw(found: dict[str, Any], target: str, name: str, stream: TextIO, options: Options) -> None:
    from modellint.report.runs import write_validation
    from modellint.report.strict import dumps

    if name == JSON:
        click.echo(dumps(found, 2), file=stream)
    else:
        write_validation(found, target, stream, options)
