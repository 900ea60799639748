"""`modellint probe`: test models with real runtimes, without linting."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from modellint.cli import probing
from modellint.cli.command import Command, option
from modellint.cli.configuration import configurable
from modellint.cli.console import Progress, note
from modellint.cli.given import comma_lists
from modellint.cli.looks import looks_at, wants_looks
from modellint.cli.options import given_settings, setting, settings_in
from modellint.cli.outputs import (
    HTML,
    JSON,
    files_of,
    force_option,
    plain_output_option,
    plain_outputs,
    require_replaceable,
    write_page,
)
from modellint.cli.places import Place, PlaceType, note_fetched, reached_from
from modellint.config.load import CommandLine, Configs
from modellint.config.settings import DEPLOYMENT, OUTPUT, PROBES, PROBING

if TYPE_CHECKING:
    from modellint.cli.looks import Look
    from modellint.report import Options
    from modellint.results.finding import Probed, Result

ANSWERS = ("TRT", "ORT", "PRB", "FIL")
"""Rules about a runtime's answer, and about files that cannot be probed."""

SETUP = "Setup"

EPILOG = """Examples:
  modellint probe model.onnx --target a10,l4         build for two devices, neither present
  modellint probe model.onnx --backend onnxruntime   create a session on the CPU
  modellint probe *.onnx -t t4 --save-engine out     keep the engines
  modellint probe --setup qnn                        install Qualcomm's compiler for probes

Exit codes: 1 if a runtime rejected a model or crashed on it, otherwise as for
'modellint check'.
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument(
    "models",
    nargs=-1,
    type=PlaceType(),
    metavar="MODEL|URL...",
)
@settings_in(DEPLOYMENT, but=("dla",))
@setting("probe", spelled="backend", metavar="BACKEND", help=f"{PROBES}.")
@settings_in(PROBING, but=("probe",))
@setting("max_fetch")
@setting("fetch_timeout")
@probing.report_option
@option(
    "--layers",
    group=OUTPUT,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Compare with an engine, or trtexec's export, instead.",
)
@option(
    "--setup",
    group=SETUP,
    multiple=True,
    callback=comma_lists,
    metavar="NAME",
    help="Install what probing these runtimes needs.",
)
@option("--yes", "-y", group=SETUP, is_flag=True, help="Agree to the download and its licenses.")
@option(
    "--list", "as_list", group=SETUP, is_flag=True, help="List what is installed, and what can be."
)
@option(
    "--remove",
    group=SETUP,
    multiple=True,
    callback=comma_lists,
    metavar="NAME",
    help="Remove what was installed.",
)
@plain_output_option
@force_option
@option("--json", "as_json", group=OUTPUT, is_flag=True, help="Same as --output json.")
@option("--quiet", "-q", group=OUTPUT, is_flag=True, help="Print the table only.")
@setting("cache", group=OUTPUT, help="Ignore cached results and probe again.")
@configurable
def command(models: tuple[Place, ...], **given: Any) -> int:
    """Test models with a real compiler or runtime.

    It runs in a separate process with time and memory limits. TensorRT for RTX needs no GPU.
    Remote models, such as s3://bucket/model.onnx, are downloaded up to --max-fetch.
    """
    if given["setup"] or given["as_list"] or given["remove"]:
        return _manage(models, given)
    if not models:
        raise click.UsageError("Missing argument 'MODEL...'.")
    command_line = _command_line(given)
    with reached_from(models, Configs(command_line).of(Path.cwd())) as local:
        return _probe(local, command_line, given)


def _command_line(given: Mapping[str, Any]) -> CommandLine:
    values = {"probe": probing.AUTO, **given_settings(given), "select": ANSWERS}
    return CommandLine(values, given["config"], given["isolated"])


def _probe(models: tuple[Path, ...], command_line: CommandLine, given: dict[str, Any]) -> int:
    from modellint.discovery import require_existing

    require_existing(models)
    if given["layers"] is not None:
        _compare(models, given["layers"])
        return 0
    outputs = plain_outputs(given)
    files = files_of(outputs, given["probe_report"])
    if not given["force"]:
        require_replaceable(files, models)

    from modellint.lint import Request, lint
    from modellint.lint.notes import about_probe
    from modellint.report import Options

    request = Request(models, command_line)
    with Progress(wanted=not given["quiet"]) as progress, probing.announced(progress):
        outcome = lint(request, progress)
    configs = Configs(request.command_line)
    looks = list(looks_at(models, {}, configs)) if wants_looks(outputs) else []
    options = Options(quiet=given["quiet"], root=str(Path.cwd()))
    said = {
        about_probe(each.path, each.status != "unanswered", each.detail)
        for each in outcome.result.probes
    }
    for output in outputs:
        output.write(partial(_draw, outcome.result, looks), options)
    probing.write_report(given["probe_report"], outcome.result)
    if not given["quiet"]:
        for text in dict.fromkeys(outcome.notes):
            if text not in said:
                note(text)
        note_fetched(outcome.fetched)
    return max(outcome.result.exit_code, _verdict(outcome.result.probes))


def _manage(models: Sequence[Place], given: Mapping[str, Any]) -> int:
    from modellint.cli import environments

    if models:
        raise click.UsageError("--setup, --list and --remove take no model")
    if given["remove"]:
        return environments.remove(given["remove"])
    if given["as_list"]:
        return environments.list_all(given["as_json"])
    return environments.set_up(given["setup"], given["yes"])


def _verdict(probes: Sequence[Probed]) -> int:
    """Return 1 if a runtime refused a model, or did not survive it."""
    return int(any(probed.status not in ("accepted", "unanswered") for probed in probes))


def _draw(
    result: Result, looks: Sequence[Look], name: str, stream: TextIO, options: Options
) -> None:
    from modellint.report import write
    from modellint.report.probe import to_json, write_table

    if name == HTML:
        from modellint.report.html import probe_page

        write_page(probe_page(result, options, looks), stream)
        return
    if name == JSON:
        from modellint.report.strict import dumps

        click.echo(dumps(to_json(result), indent=2), file=stream)
        return
    write_table(result, stream, options)
    if not options.quiet and result.active:
        click.echo(file=stream)
        write("full", result, stream, options)


def _compare(models: Sequence[Path], export: Path) -> None:
    """Describe how an engine implements the models' nodes, from an export of its layers."""
    from modellint.inspector import compared
    from modellint.report.layers import write_comparison

    for path in models:
        write_comparison(str(path), str(export), compared(path, export), sys.stdout)
