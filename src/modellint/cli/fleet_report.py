"""`modellint fleet report`: the results of a run, summed up."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from modellint.base.errors import UsageError
from modellint.cli.command import Command, option
from modellint.cli.outputs import (
    HTML,
    JSON,
    MARKDOWN,
    TEXT,
    color_option,
    files_of,
    force_option,
    output_option,
    parse_outputs,
    require_replaceable,
    write_page,
)
from modellint.cli.places import Place, PlaceType
from modellint.config.settings import OUTPUT
from modellint.results.surveyed import BY

if TYPE_CHECKING:
    from modellint.fleets.owners import Owners
    from modellint.report.options import Options
    from modellint.results.surveyed import Survey

FORMATS = (TEXT, JSON, MARKDOWN, HTML)
GROUPS = "Groups"
EPILOG = """Examples:
  modellint fleet report nightly/
  modellint fleet report nightly/ --by team --owners CODEOWNERS
  modellint fleet report nightly/ --against last-week/ -o html:fleet.html

Exit codes:
  0  the report was written    2  usage error
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("results", type=PlaceType(), metavar="RESULTS")
@option(
    "--by",
    group=GROUPS,
    type=click.Choice(BY),
    default="rule",
    help="What findings are summed up by.  [default: rule]",
)
@option(
    "--owners",
    group=GROUPS,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="CODEOWNERS, or owners by glob as TOML or JSON.  [default: CODEOWNERS, if any]",
)
@option(
    "--against",
    group=GROUPS,
    metavar="OLD",
    type=PlaceType(),
    help="Results of an earlier run: say what is new and what is fixed.",
)
@output_option(FORMATS, "reports")
@force_option
@option("--verbose", "-v", group=OUTPUT, is_flag=True, help="Show all rows.")
@color_option
def report(results: Place, **given: Any) -> int:
    """Summarize the findings of a run of 'modellint fleet'."""
    from modellint.fleets.survey import survey
    from modellint.report.options import Options

    outputs = parse_outputs(given["reports"], FORMATS)
    files = files_of(outputs)
    if not given["force"]:
        require_replaceable(files, [])
    found = survey(results, given["by"], given["against"], _owners(given["owners"]))
    options = Options(verbose=given["verbose"], color=given["color"])
    for output in outputs:
        output.write(partial(_draw, found), options)
    return 0


def _owners(named: Path | None) -> Owners | None:
    from modellint.fleets.owners import read_owners, usual_owners

    if named is not None and not named.is_file():
        raise UsageError(f"{named}: no such file")
    path = named or usual_owners()
    return read_owners(path) if path is not None else None


def _draw(found: Survey, name: str, stream: TextIO, options: Options) -> None:
    if name == JSON:
        from modellint.report.strict import dumps

        stream.write(f"{dumps(found.to_json(), 2)}\n")
    elif name == HTML:
        from modellint.report.html import fleet_page

        write_page(fleet_page(found), stream)
    elif name == MARKDOWN:
        from modellint.report.fleet import markdown_of

        stream.write(markdown_of(found))
    else:
        from modellint.report.fleet import write_survey

        write_survey(found, stream, options)
