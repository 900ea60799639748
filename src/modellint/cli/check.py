"""`modellint check`, which is also what bare paths do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from modellint.cli.command import Command, option
from modellint.cli.console import Progress, note
from modellint.config.load import CommandLine, Configs
from modellint.config.settings import FailOn
from modellint.errors import UsageError
from modellint.targets.deployment import Precision

if TYPE_CHECKING:
    from modellint.cli.outputs import Output

RULES = "Rules"
DEPLOYMENT = "Where the models will run"
FILES = "Files"
OUTPUT = "Output"
EXIT = "What fails the run"
CONFIGURATION = "Configuration"
RUNNING = "Running"


def _comma_lists(ctx: click.Context, parameter: click.Parameter, given: Any) -> tuple[str, ...]:
    """``--select A,B --select C`` is ``A B C``."""
    return tuple(part.strip() for text in given for part in text.split(",") if part.strip())


def _pairs(ctx: click.Context, parameter: click.Parameter, given: Any) -> dict[str, str]:
    pairs = {}
    for text in given:
        # Names inside models may hold an equals sign; shapes and severities may not.
        name, equals, value = text.rpartition("=")
        if not equals or not name or not value:
            raise click.BadParameter(f"{text!r} is not {parameter.metavar}", ctx, parameter)
        pairs[name] = value
    return pairs


def _sizes(ctx: click.Context, parameter: click.Parameter, given: Any) -> dict[str, int]:
    pairs = _pairs(ctx, parameter, given)
    for name, value in pairs.items():
        if not value.isdecimal():
            raise click.BadParameter(f"{name}={value}: not a whole number", ctx, parameter)
    return {name: int(value) for name, value in pairs.items()}


def _levels(ctx: click.Context, parameter: click.Parameter, given: Any) -> dict[str, str]:
    from modellint.rules.selection import nearest

    levels = ("error", "warning", "info", "off")
    pairs = _pairs(ctx, parameter, given)
    for name, value in pairs.items():
        if value not in levels:
            near = nearest(value, levels)
            hint = f"did you mean {near!r}?" if near else f"one of {', '.join(levels)}"
            raise click.BadParameter(f"{name}={value}: no severity; {hint}", ctx, parameter)
    return pairs


def _one_of(*choices: str) -> Any:
    """A check that suggests the nearest choice."""

    def check(ctx: click.Context, parameter: click.Parameter, given: str | None) -> str | None:
        if given is None or given in choices:
            return given
        from modellint.rules.selection import nearest

        near = nearest(given, choices)
        hint = f"did you mean {near!r}?" if near else f"one of {', '.join(choices)}"
        raise click.BadParameter(f"{given!r}: {hint}", ctx, parameter)

    return check


def _as_given(ctx: click.Context, parameter: click.Parameter, given: Any) -> Any:
    return given


def _many(
    *names: str, group: str, help: str, metavar: str, callback: Any = _comma_lists
) -> Callable[[Any], Any]:
    return option(*names, group=group, help=help, metavar=metavar, multiple=True, callback=callback)


EPILOG = """Exit codes:
  0  nothing at or above --fail-on    1  something found     2  usage or configuration
  3  an internal error                130  interrupted
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@_many(
    "--target", "-t", group=DEPLOYMENT, metavar="ID", help="Device, group or 'host'; repeatable."
)
@option("--runtime", group=DEPLOYMENT, metavar="NAME", help="Such as tensorrt or onnxruntime.")
@option("--precision", group=DEPLOYMENT, metavar="NAME", callback=_one_of(*get_args(Precision)),
        help=f"{', '.join(get_args(Precision))}.")  # fmt: skip
@option("--batch", group=DEPLOYMENT, type=click.IntRange(min=1), metavar="N", help="Batch size.")
@_many(
    "--shape",
    group=DEPLOYMENT,
    metavar="INPUT=SHAPE",
    callback=_pairs,
    help="1x3x224x224, or a range as min..max or min..opt..max.",
)
@_many(
    "--symbol", group=DEPLOYMENT, metavar="NAME=N", callback=_sizes, help="Value of a symbolic dim."
)
@_many(
    "--select",
    "-s",
    group=RULES,
    metavar="RULES",
    help="Run these only: codes, prefixes, families, names, ALL.",
)
@_many("--extend-select", group=RULES, metavar="RULES", help="Run these too.")
@_many("--ignore", "-i", group=RULES, metavar="RULES", help="Do not run these.")
@_many(
    "--severity",
    group=RULES,
    metavar="RULE=LEVEL",
    callback=_levels,
    help="Change a severity: error, warning, info, off.",
)
@option("--no-weights", group=RULES, is_flag=True, help="Leave the values of weights unread.")
@_many("--exclude", group=FILES, metavar="GLOB", help="Leave out files and folders.")
@_many("--include", group=FILES, metavar="GLOB", help="Lint files of other suffixes too.")
@option(
    "--force-exclude/--no-force-exclude",
    group=FILES,
    default=None,
    help="Exclude files even when they are named.",
)
@option(
    "--respect-gitignore/--no-respect-gitignore",
    group=FILES,
    default=None,
    help="Leave out what git ignores.  [default: yes]",
)
@option("--stdin-filename", group=FILES, metavar="NAME", help="What '-' is called in findings.")
@_many(
    "--output",
    "-o",
    group=OUTPUT,
    metavar="FORMAT[:FILE]",
    callback=_as_given,
    help="full, concise, json, jsonl, sarif, github, gitlab, junit, markdown; repeatable.",
)
@option("--statistics", group=OUTPUT, is_flag=True, help="Counts and time by rule.")
@option("--quiet", "-q", group=OUTPUT, is_flag=True, help="Findings only.")
@option("--verbose", "-v", group=OUTPUT, is_flag=True, help="Every place, and the evidence.")
@option(
    "--color",
    group=OUTPUT,
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="When to use colour.  [default: auto]",
)
@option(
    "--fail-on",
    group=EXIT,
    metavar="LEVEL",
    callback=_one_of(*get_args(FailOn)),
    help="error, warning, info or never.  [default: error]",
)
@option("--exit-zero", group=EXIT, is_flag=True, help="Exit with 0 even when something is found.")
@option("--baseline", group=EXIT, metavar="FILE", help="Findings that are known and do not count.")
@option("--write-baseline", group=EXIT, is_flag=True, help="Make all that is found now known.")
@option("--config", group=CONFIGURATION, metavar="FILE", type=click.Path(path_type=Path),
        envvar="MODELLINT_CONFIG", help="Use this file instead of the nearest.")  # fmt: skip
@option("--isolated", group=CONFIGURATION, is_flag=True, help="Use no configuration file.")
@option("--show-settings", group=CONFIGURATION, is_flag=True, help="Print the settings, and stop.")
@option("--jobs", "-j", group=RUNNING, type=click.IntRange(min=1), metavar="N",
        help="Processes.  [default: as many as pay]")  # fmt: skip
@option("--no-cache", group=RUNNING, is_flag=True, help="Neither use nor keep earlier results.")
@option("--cache-dir", group=RUNNING, metavar="DIR", help="Where results are kept.")
def command(paths: tuple[Path, ...], **given: Any) -> int:
    """Lint models: files whatever they are called, and folders through and through.

    Without a path, the current folder; '-' is standard input.
    """
    from modellint.cli.outputs import parse_outputs
    from modellint.cli.stdin import spooled
    from modellint.report import Options

    _require_paths(paths)
    command_line = CommandLine(_settings(given), given["config"], given["isolated"])
    configs = Configs(command_line)
    if given["show_settings"]:
        from modellint.cli.settings import show_settings

        show_settings(paths or (Path(),), configs, command_line)
        return 0
    outputs = parse_outputs(_outputs(given, configs))

    from modellint.lint import Request, lint

    with spooled(paths or (Path(),), given["stdin_filename"]) as (files, shown_as):
        request = Request(
            files, command_line, given["write_baseline"], given["exit_zero"], shown_as
        )
        with Progress(wanted=not given["quiet"]) as progress:
            outcome = lint(request, progress)
    options = Options(
        quiet=given["quiet"], verbose=given["verbose"], color=given["color"], root=_root()
    )
    for output in outputs:
        output.write(outcome.result, options)
    if given["statistics"]:
        from modellint.cli.statistics import statistics

        click.echo(statistics(outcome.result), nl=False, err=_is_machine_read(outputs))
    if not given["quiet"]:
        for text in dict.fromkeys(outcome.notes):
            note(text)
    return outcome.result.exit_code


def _require_paths(paths: tuple[Path, ...]) -> None:
    """A path that is not there may be a misspelt verb."""
    from modellint.cli.app import VERBS
    from modellint.rules.selection import nearest

    for path in paths:
        if str(path) != "-" and not path.exists():
            verb = nearest(str(path), list(VERBS))
            hint = f"; did you mean 'modellint {verb}'?" if verb else ""
            raise UsageError(f"{path}: no such file or folder{hint}")


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are settings and were given, by field name."""
    values = {
        "targets": given["target"],
        "runtime": given["runtime"],
        "precision": given["precision"],
        "batch": given["batch"],
        "shapes": given["shape"],
        "symbols": given["symbol"],
        "select": given["select"],
        "extend_select": given["extend_select"],
        "ignore": given["ignore"],
        "severity": given["severity"],
        "exclude": given["exclude"],
        "include": given["include"],
        "force_exclude": given["force_exclude"],
        "respect_gitignore": given["respect_gitignore"],
        "output": given["output"],
        "fail_on": given["fail_on"],
        "baseline": given["baseline"],
        "jobs": given["jobs"],
        "cache": False if given["no_cache"] else None,
        "cache_dir": given["cache_dir"],
        "weights": False if given["no_weights"] else None,
    }
    return {name: value for name, value in values.items() if value not in (None, (), {})}


def _outputs(given: Mapping[str, Any], configs: Configs) -> Sequence[str]:
    """Reports asked for on the command line, or by the configuration of the working folder."""
    if given["output"]:
        return tuple(given["output"])
    config = configs.of(Path.cwd())
    parts = [text.partition(":") for text in config.settings.output]
    return [name + (f":{config.path(file)}" if file else colon) for name, colon, file in parts]


def _is_machine_read(outputs: Sequence[Output]) -> bool:
    return any(
        output.file is None and output.format not in ("full", "concise") for output in outputs
    )


def _root() -> str:
    """The repository's top, which the addresses of machine formats start from."""
    here = Path.cwd()
    top = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
    return str(top)
