"""`modellint init`: a configuration file to start from."""

from __future__ import annotations

from pathlib import Path

import click

from modellint.base.errors import UsageError
from modellint.cli.command import Command, option
from modellint.cli.completion import complete_targets
from modellint.cli.given import comma_lists


@click.command(cls=Command)
@click.argument("file", metavar="[FILE]", default="modellint.toml", type=click.Path(path_type=Path))
@option(
    "--target",
    "-t",
    "targets",
    multiple=True,
    metavar="ID",
    callback=comma_lists,
    shell_complete=complete_targets,
    help="Device the models are deployed on; repeatable.",
)
def command(file: Path, targets: tuple[str, ...]) -> None:
    """Write a commented configuration, modellint.toml by default; nothing is overwritten.

    Given a pyproject.toml, add [tool.modellint] to it.
    """
    from modellint.base.files import write_atomically
    from modellint.config.load import NAMES, read_table
    from modellint.config.places import shown
    from modellint.config.starter import starter
    from modellint.targets import expand_targets

    expand_targets(targets)  # an unknown one is a mistake now, not in the next run
    chosen = {"targets": list(targets)} if targets else {}
    in_pyproject = file.name == "pyproject.toml"
    for other in (file.parent / name for name in NAMES):
        if other.is_file() and read_table(other) is not None:
            raise UsageError(f"{shown(other)} holds a configuration already; it is left as it is")
    if file.exists() and not in_pyproject:
        raise UsageError(f"{shown(file)} exists already; it is left as it is")
    before = file.read_text(encoding="utf-8").rstrip("\n") if file.exists() else ""
    text = starter(chosen, table="tool.modellint" if in_pyproject else "")
    try:
        write_atomically(file, f"{before}\n\n{text}" if before else text)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
    click.echo(f"{shown(file)} written; every setting in it is a comment until you want it")
