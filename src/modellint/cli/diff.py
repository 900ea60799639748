"""`modellint diff`: what changed between two models."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from modellint.base.errors import UsageError
from modellint.cli.command import Command, option
from modellint.cli.configuration import configurable
from modellint.cli.console import note
from modellint.cli.options import given_settings, setting, settings_in
from modellint.cli.outputs import (
    color_option,
    files_of,
    force_option,
    output_option,
    parse_outputs,
    require_replaceable,
)
from modellint.config.load import CommandLine, Configs
from modellint.config.settings import DEPLOYMENT, LANGUAGE, OUTPUT, RULES
from modellint.finding import Severity

if TYPE_CHECKING:
    from modellint.config.settings import FailOn
    from modellint.diff.compare import ComparedFile
    from modellint.difference import Difference
    from modellint.planning import Setup
    from modellint.report.options import Options

FORMATS: Mapping[str, str] = {
    "full": "modellint.report.diff",
    "concise": "modellint.report.diff_concise",
    "json": "modellint.report.diff_json",
}
"""Modules that write a difference, by format."""
CHANGED, INTERNAL_ERROR = 1, 3

EPILOG = """Examples:
  modellint diff old.onnx new.onnx            what changed
  modellint diff old.onnx new.onnx -t a10     with memory, time and findings for a device
  modellint diff old.onnx new.onnx -o json    for programs

Exit codes:
  0  nothing breaking
  1  a break of the interface, a new finding at or above --fail-on, or an unreadable file
  2  usage or configuration error    3  internal error
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@settings_in(DEPLOYMENT)
@settings_in(LANGUAGE)
@settings_in(RULES)
@output_option(tuple(FORMATS), "reports")
@force_option
@option("--verbose", "-v", group=OUTPUT, is_flag=True, help="Show all changes.")
@color_option
@setting("fail_on")
@configurable
def command(old: Path, new: Path, **given: Any) -> int:
    """Compare two models by structure: what changed, what breaks, and what that costs."""
    from modellint.diff.compare import compare_files
    from modellint.report.options import Options

    outputs = parse_outputs(given["reports"], tuple(FORMATS))
    if not given["force"]:
        require_replaceable(files_of(outputs), [old, new])
    configs = Configs(CommandLine(given_settings(given), given["config"], given["isolated"]))
    setups: dict[int, Setup] = {}
    files = [_compared(path, configs, setups) for path in (old, new)]
    setup = list(setups.values())[-1]
    difference, _ = compare_files(files[0], files[1], setup.catalogue)
    options = Options(verbose=given["verbose"], color=given["color"])
    for output in outputs:
        output.write(partial(_draw, difference), options)
    return exit_code(difference, setup.config.settings.fail_on)


def _compared(path: Path, configs: Configs, setups: dict[int, Setup]) -> ComparedFile:
    """Return a file with the plan that its configuration makes for it."""
    from modellint.diff.compare import ComparedFile
    from modellint.discovery import discover
    from modellint.planning import make_setup

    discovery = discover((path,), configs)
    for text in discovery.notes:
        note(text)
    if len(discovery.files) != 1:
        raise UsageError(f"{path}: {len(discovery.files)} models, where one is needed")
    found = discovery.files[0]
    setup = setups.setdefault(id(found.config), make_setup(found.config))
    return ComparedFile(found.path, found.shown, setup.plan_for(found.path))


def exit_code(difference: Difference, fail_on: FailOn) -> int:
    """Return 1 for what breaks or fails, 3 after internal errors, else 0."""
    if any(each.kind == "internal" for each in difference.new.problems + difference.old.problems):
        return INTERNAL_ERROR
    if not difference.is_readable or difference.breaking:
        return CHANGED
    found = difference.findings
    fails = fail_on != "never" and any(
        Severity.parse(each.severity) >= Severity.parse(fail_on)
        for each in (found.new if found is not None else ())
    )
    return CHANGED if fails else 0


def _draw(difference: Difference, name: str, stream: TextIO, options: Options) -> None:
    import_module(FORMATS[name]).write(difference, stream, options)
