"""`modellint init`: a starter configuration file."""

from __future__ import annotations

import os
from pathlib import Path

import click

from modellint.base.errors import UsageError
from modellint.cli.command import Command, option
from modellint.cli.completion import complete_targets
from modellint.cli.console import printable
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
    help="Device the models will run on; repeatable.",
)
def command(file: Path, targets: tuple[str, ...]) -> None:
    """Write a commented configuration file, modellint.toml by default. Never overwrites files.

    Given a pyproject.toml, add [tool.modellint] to it.
    """
    from modellint.base.files import read_text, write_atomically
    from modellint.config.load import NAMES, read_table
    from modellint.config.places import shown
    from modellint.config.starter import starter
    from modellint.targets import expand_targets

    expand_targets(targets)  # report an unknown target now, not in the next run
    chosen = {"targets": list(targets)} if targets else {}
    in_pyproject = file.name == "pyproject.toml"
    for other in (file.parent / name for name in NAMES):
        if other.is_file() and read_table(other) is not None:
            raise UsageError(f"{shown(other)} already contains a configuration; not overwritten")
    if os.path.lexists(file) and not in_pyproject:  # a link, too, even one that leads nowhere
        raise UsageError(f"{shown(file)} already exists; not overwritten")
    before = read_text(file).rstrip("\n") if file.exists() else ""
    text = starter(chosen, table="tool.modellint" if in_pyproject else "")
    try:
        write_atomically(file, f"{before}\n\n{text}" if before else text)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from error
    click.echo(f"Wrote {printable(shown(file))}; uncomment the settings you need")
