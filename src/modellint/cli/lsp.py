"""`modellint lsp`: a server for editors."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

import click

from modellint.cli.command import Command, option
from modellint.cli.console import note

if TYPE_CHECKING:
    from modellint.config.load import Config

EPILOG = """Exit codes:
  0  the editor asked the server to shut down    1  it ended otherwise

docs/editors.md explains how to set up editors.
"""


@click.command(cls=Command, epilog=EPILOG)
@option("--stdio", is_flag=True, help="Use standard input and output (the default).")
def command(stdio: bool) -> int:
    """Serve an editor over the Language Server Protocol.

    The server completes, explains and checks configurations and rule files, and lints models that
    are opened or saved.
    """
    from modellint.lsp.server import EditorServer
    from modellint.serving.endpoint import standard_streams

    gc.enable()  # it runs for longer than others
    if sys.stdin.isatty():
        note("editors start this command and talk to it on standard input; see docs/editors.md")
    return EditorServer(*standard_streams(), _check_outputs).serve()


def _check_outputs(config: Config) -> None:
    from modellint.cli.outputs import configured_outputs

    configured_outputs(config)
