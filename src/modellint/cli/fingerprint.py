"""`modellint fingerprint`: what a run does and where its time goes, without names."""

from __future__ import annotations

from pathlib import Path

import click

from modellint.cli.command import Command

EPILOG = """Examples:
  modellint fingerprint run.json
  modellint fingerprint times.json profile.json layers.json   parts of one run

Exit codes:
  0  success    2  a file cannot be read
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE..."
)
def command(files: tuple[Path, ...]) -> int:
    """Print the fingerprint of a run as JSON.

    Each layer has a digest of its structure, its share of the time, its operations per byte, and
    the fractions it reaches of the best rates in the run. Names do not count.
    """
    from modellint.benching.fingerprints import fingerprint
    from modellint.profiles import read_run
    from modellint.report.strict import dumps

    click.echo(dumps(fingerprint(read_run(files)).to_json(), 2))
    return 0
