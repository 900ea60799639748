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

docs/editors.md says how editors are set up.
"""


@click.command(cls=Command, epilog=EPILOG)
@option("--stdio", is_flag=True, help="Use standard input and output, which it does anyway.")
def command(stdio: bool) -> int:
    """Serve an editor, by the Language Server Protocol.

    It completes and explains configurations and rule files, says what is wrong with them, and
    lints models that are opened or saved.
    """
    from modellint.lsp.server import EditorServer
    from modellint.serving.endpoint import standard_streams

    gc.enable()  # it runs for longer than others
    if sys.stdin.isatty():
        note("an editor starts this, and talks to it on standard input; see docs/editors.md")
    return EditorServer(*standard_streams(), _check_outputs).serve()


def _check_outputs(config: Config) -> None:
    from modellint.cli.outputs import configured_outputs

    configured_outputs(config)
