"""`modellint optimize`: a model with all fixes that keep its outputs, in a new file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modellint.base.errors import UsageError
from modellint.base.files import require_replaceable
from modellint.cli.command import Command, option
from modellint.cli.configuration import configurable
from modellint.cli.console import Progress
from modellint.cli.options import given_settings, settings_in
from modellint.cli.outputs import color_option
from modellint.cli.running import fix_data_option
from modellint.config.load import CommandLine
from modellint.config.settings import DEPLOYMENT, FIXING, OUTPUT, RULES

if TYPE_CHECKING:
    from modellint.base.weight_layout import WeightLayout

EPILOG = """Examples:
  modellint optimize model.onnx -o small.onnx
  modellint optimize model.onnx -o small.onnx -t a10     with the minimum time saved
  modellint optimize model.onnx -o small.onnx --external-data split=2GB

Exit codes:
  0  written    1  not written    2  usage or configuration error
"""


def _layout(
    ctx: click.Context, parameter: click.Parameter, given: str | None
) -> WeightLayout | None:
    from modellint.base.units import parse_bytes
    from modellint.base.weight_layout import WeightLayout

    kind, _, size = (given or "").partition("=")
    if given is None:
        return None
    if kind == "split" and size:
        return WeightLayout("split", parse_bytes(size))
    if given == "one-file":
        return WeightLayout("one-file")
    if given == "embedded":
        return WeightLayout("embedded")
    raise click.BadParameter("one-file, embedded, or split=SIZE, such as split=2GB")


@click.command(cls=Command, epilog=EPILOG)
@click.argument("model", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@option(
    "--output",
    "-o",
    "to",
    group=OUTPUT,
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The optimized model.",
)
@fix_data_option
@option(
    "--record-shapes",
    group=OUTPUT,
    is_flag=True,
    help="Record the shapes of intermediate values, inferred from the inputs.",
)
@option(
    "--external-data",
    "layout",
    group=OUTPUT,
    metavar="one-file|embedded|split=SIZE",
    callback=_layout,
    help="Move the weights: into one file, into the model, or into files of SIZE at most.",
)
@settings_in(DEPLOYMENT)
@settings_in(RULES)
@settings_in(FIXING)
@option("--force", group=OUTPUT, is_flag=True, help="Overwrite the file if it exists.")
@option("--json", "as_json", group=OUTPUT, is_flag=True, help="Print JSON.")
@option("--verbose", "-v", group=OUTPUT, is_flag=True, help="Show every change.")
@color_option
@configurable
def command(model: Path, to: Path, **given: Any) -> int:
    """Write a model without needless computation and data.

    This is `check --fix` with all fixes that keep the outputs of this model, and a table of what
    they save. Each fix is proved by running the model before and after.
    """
    if to.exists() and to.samefile(model):
        raise UsageError(
            f"{to} is the model itself; `modellint check --fix` fixes a model in place"
        )
    require_replaceable(to, force=given["force"])
    from modellint.lint.fixing import optimize

    command_line = CommandLine(given_settings(given), given["config"], given["isolated"])
    with Progress() as progress:
        fixes = optimize(
            model,
            to,
            command_line,
            force=given["force"],
            data=given["fix_data"],
            weights=given["layout"],
            record_shapes=given["record_shapes"],
            say=progress.say,
        )
    if given["as_json"]:
        from modellint.report.contract import fixes_entry
        from modellint.report.strict import dumps

        click.echo(dumps(fixes_entry(fixes), indent=2))
    else:
        import sys

        from modellint.report import fix
        from modellint.report.options import Options

        options = Options(verbose=given["verbose"], color=given["color"])
        fix.write((fixes,), sys.stdout, options, silent=False)
    return 0 if fixes.written else 1
