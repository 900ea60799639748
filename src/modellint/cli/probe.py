"""`modellint probe`: ask real runtimes about models, and nothing else."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from modellint.base.errors import UsageError
from modellint.capability import Capability
from modellint.cli import probing
from modellint.cli.command import Command, option
from modellint.cli.configuration import configurable
from modellint.cli.console import Progress, note
from modellint.cli.deployment import deployable, given_settings
from modellint.cli.given import one_of_found
from modellint.config.load import CommandLine

OUTPUT = "Output"
ANSWERS = ("TRT", "ORT", "PRB", "FIL")
"""Rules about what a runtime said, and about files that none could be shown."""

EPILOG = """Examples:
  modellint probe model.onnx --target a10,l4         builds for two devices, without either
  modellint probe model.onnx --backend onnxruntime   makes a session on the CPU
  modellint probe *.onnx -t t4 --save-engine out     keeps the engines

Exit codes: as for 'modellint check'.
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path),
                metavar="MODEL...")  # fmt: skip
@deployable
@option("--backend", "probe", group=probing.GROUP, metavar="BACKEND", default=None,
        callback=one_of_found(probing.names), help=f"{probing.NAMES}.")  # fmt: skip
@option("--layers", group=OUTPUT, metavar="FILE", type=click.Path(path_type=Path),
        help="Instead, compare with an engine, or what trtexec exported of it.")  # fmt: skip
@probing.limits
@option("--json", "as_json", group=OUTPUT, is_flag=True, help="The table for programs.")
@option("--quiet", "-q", group=OUTPUT, is_flag=True, help="The table only.")
@option("--no-cache", group=OUTPUT, is_flag=True, help="Ask again what was asked before.")
@configurable
def command(models: tuple[Path, ...], **given: Any) -> int:
    """Ask a real compiler or runtime about models.

    It runs in a process of its own, with limits on time and memory; TensorRT for RTX needs no GPU.
    """
    for path in models:
        if not path.exists():
            raise UsageError(f"{path}: no such file or folder")
    if given["layers"] is not None:
        for path in models:
            click.echo(_compared(path, given["layers"]), nl=False)
        return 0
    values = {
        **given_settings(given),
        "select": ANSWERS,
        "cache": False if given["no_cache"] else None,
        **probing.settings(given),
        "probe": given["probe"] or probing.AUTO,
    }
    values = {name: value for name, value in values.items() if value not in (None, (), {})}

    from modellint.lint import Request, lint
    from modellint.report import Options, write
    from modellint.report.probe import to_json, write_table

    request = Request(models, CommandLine(values, given["config"], given["isolated"]))
    with Progress(wanted=not given["quiet"]) as progress, probing.announced(progress):
        outcome = lint(request, progress)
    options = Options(quiet=given["quiet"], root=str(Path.cwd()))
    if given["as_json"]:
        click.echo(json.dumps(to_json(outcome.result), indent=2))
    else:
        write_table(outcome.result, sys.stdout, options)
        if not given["quiet"] and outcome.result.active:
            click.echo()
            write("full", outcome.result, sys.stdout, options)
    probing.write_report(given["probe_report"], outcome.result)
    if not given["quiet"]:
        for text in dict.fromkeys(outcome.notes):
            note(text)
    return outcome.result.exit_code


def _compared(path: Path, export: Path) -> str:
    """What became of a model's nodes in an engine, by an export of its layers."""
    from modellint.cli.layers import layers_in
    from modellint.formats import read_model
    from modellint.inspector import engine_of
    from modellint.report.layers import comparison

    source = read_model(path)
    if Capability.GRAPH not in source.capabilities:
        raise UsageError(f"{path} holds no graph of a model ({source.format})")
    return comparison(str(path), str(export), engine_of(layers_in(export), source))
