"""`modellint compare`: two runs of a model, or of two: what got slower, and why."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from modellint.base.errors import UsageError
from modellint.cli.command import Command, option
from modellint.cli.outputs import (
    HTML,
    JSON,
    color_option,
    files_of,
    force_option,
    plain_output_option,
    plain_outputs,
    require_replaceable,
    write_page,
)
from modellint.config.settings import OUTPUT

if TYPE_CHECKING:
    from modellint.report.options import Options
    from modellint.results.measured import MeasuredRun

LIMITS = "Limits"
SLOWER, DONE = 1, 0

EPILOG = """Examples:
  modellint compare old.json new.json
  modellint compare old.json new.json --max-regression 5%   for CI
  modellint compare trt-8.json onnxruntime.json             between runtimes

Exit codes:
  0  within --max-regression    1  beyond it    2  usage error
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("old", type=click.Path(path_type=Path), metavar="RUN_A")
@click.argument("new", type=click.Path(path_type=Path), metavar="RUN_B")
@option(
    "--max-regression",
    group=LIMITS,
    metavar="SHARE",
    help="Exit with 1 if the time grows by more (example: 5%).",
)
@plain_output_option
@force_option
@option("--json", "as_json", group=OUTPUT, is_flag=True, help="Same as --output json.")
@option("--verbose", "-v", group=OUTPUT, is_flag=True, help="Show all layers.")
@color_option
def command(old: Path, new: Path, **given: Any) -> int:
    """Compare two runs, matching layers by structure: names may differ.

    The runs may come from different runtimes, devices, versions or models.
    """
    from modellint.benching.comparing import compare_runs
    from modellint.profiles import read_runs
    from modellint.report.options import Options

    outputs = plain_outputs(given)
    if not given["force"]:
        require_replaceable(files_of(outputs), [])
    limit = parse_share(given["max_regression"], "--max-regression")
    runs = []
    for path in (old, new):
        found = read_runs([path])
        if len(found) != 1:
            raise UsageError(f"{path} holds {len(found)} runs; give the file of one")
        runs += found
    result = compare_runs(*runs)
    options = Options(verbose=given["verbose"], color=given["color"])
    for output in outputs:
        output.write(partial(_draw, result.to_json(), (runs[0], runs[1])), options)
    growth = result.regression()
    if limit is None:
        return DONE
    if growth is None:
        raise UsageError("the runs have no times to compare")
    return SLOWER if growth > limit else DONE


def _draw(
    found: Mapping[str, Any],
    runs: tuple[MeasuredRun, MeasuredRun],
    name: str,
    stream: TextIO,
    options: Options,
) -> None:
    if name == JSON:
        from modellint.report.strict import dumps

        click.echo(dumps(found, 2), file=stream)
        return
    if name == HTML:
        from modellint.report.html import compare_page

        write_page(compare_page(found, runs), stream)
        return
    from modellint.report.runs import write_comparison

    write_comparison(found, runs, stream, options)


def parse_share(text: str | None, name: str) -> float | None:
    """Parse ``5%``; a number without a sign is one of percent, too."""
    if text is None:
        return None
    try:
        share = float(text.removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1000:
        raise UsageError(f"{name} {text}: not a share (example: 5%)")
    return share
