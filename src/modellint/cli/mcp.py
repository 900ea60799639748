"""`modellint mcp`: a server for agents."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import click

from modellint.cli.command import Command, option
from modellint.cli.console import note

EPILOG = """Examples:
  modellint mcp                serve the current folder on standard input and output
  modellint mcp models/        serve another one

Exit codes:
  0  the client closed the stream    2  usage error

docs/agents.md explains how to configure clients.
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument(
    "folder",
    required=False,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    metavar="[FOLDER]",
)
@option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=120.0,
    metavar="SECONDS",
    help="Time limit of a tool.  [default: 120]",
)
def command(folder: Path, timeout: float) -> None:
    """Let agents check, inspect and explain, by the Model Context Protocol.

    Nothing outside FOLDER is read, and nothing is written. By default, it is the current folder.
    """
    from modellint.mcp.server import AgentServer
    from modellint.serving.endpoint import standard_streams

    gc.enable()  # it runs for longer than others
    os.chdir(folder)
    if sys.stdin.isatty():
        note("clients start this command and talk to it on standard input; see docs/agents.md")
    AgentServer(*standard_streams(), timeout).serve()
