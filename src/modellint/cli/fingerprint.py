"""`modellint fingerprint`: what a run does and where its time goes, without names."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from modellint.cli.command import Command
from modellint.cli.outputs import (
    HTML,
    JSON,
    files_of,
    force_option,
    output_option,
    parse_outputs,
    require_replaceable,
    write_page,
)

if TYPE_CHECKING:
    from modellint.report.options import Options
    from modellint.results.measured import MeasuredRun

FORMATS = (JSON, HTML)

EPILOG = """Examples:
  modellint fingerprint run.json
  modellint fingerprint times.json profile.json layers.json   parts of one run
  modellint fingerprint run.json -o html:fingerprint.html     as a page

Exit codes:
  0  success    2  a file cannot be read
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE..."
)
@output_option(FORMATS, "reports")
@force_option
def command(files: tuple[Path, ...], reports: tuple[str, ...], force: bool) -> int:
    """Print the fingerprint of a run as JSON, or write it as a page.

    For each layer, it has a digest of the structure, the share of the time, the operations per
    byte, and the fractions of the run's best rates that it reaches. Names do not count.
    """
    from modellint.profiles import read_run
    from modellint.report.options import Options

    outputs = parse_outputs(reports, FORMATS)
    if not force:
        require_replaceable(files_of(outputs), [])
    run = read_run(files)
    for output in outputs:
        output.write(partial(_draw, run), Options())
    return 0


def _draw(run: MeasuredRun, name: str, stream: TextIO, options: Options) -> None:
    from modellint.benching.fingerprints import fingerprint

    found: dict[str, Any] = fingerprint(run).to_json()
    if name == HTML:
        from modellint.report.html import fingerprint_page

        write_page(fingerprint_page(found, run), stream)
        return
    from modellint.report.strict import dumps

    click.echo(dumps(found, 2), file=stream)
