"""`modellint schema`: the configuration's JSON schema, for editors and other tools."""

from __future__ import annotations

import json

import click

from modellint.cli.command import Command


@click.command(cls=Command)
def command() -> None:
    """Print the JSON schema of the configuration."""
    from modellint.config.load import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
