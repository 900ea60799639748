"""`modellint check`, the default verb for bare paths."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, get_args

import click

from modellint.base.errors import UsageError
from modellint.cli import probing
from modellint.cli.command import option
from modellint.cli.completion import complete_outputs, complete_rules
from modellint.cli.console import Progress, note
from modellint.cli.deployment import GROUP as DEPLOYMENT
from modellint.cli.deployment import deployable, given_settings
from modellint.cli.given import comma_lists, levels, one_of, one_of_found
from modellint.cli.outputs import Output, output_option, parse_outputs, require_no_model
from modellint.config.load import CommandLine, Configs
from modellint.config.settings import FailOn
from modellint.report import FORMATS

if TYPE_CHECKING:
    from modellint.finding import Result
    from modellint.report import Options

RULES = "Rules"
FILES = "Files"
OUTPUT = "Output"
EXIT = "Exit code"
CONFIGURATION = "Configuration"
RUNNING = "Running"


def _many(
    *names: str, group: str, callback: Any = comma_lists, **more: Any
) -> Callable[[Any], Any]:
    return option(*names, group=group, multiple=True, callback=callback, **more)


def _rules(*names: str, help: str) -> Callable[[Any], Any]:
    return _many(*names, group=RULES, metavar="RULES", help=help, shell_complete=complete_rules)


EPILOG = """Exit codes:
  0  no findings at or above --fail-on    1    findings
  2  usage or configuration error         3    internal error
                                          130  interrupted
"""


@click.command(cls=probing.ProbingCommand, epilog=EPILOG)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@deployable
@option("--dla", group=DEPLOYMENT, is_flag=True, help="Use a Jetson's DLA.")
@_rules("--select", "-s", help="Run only these rules: codes, prefixes, families, names, ALL.")
@_rules("--extend-select", help="Run these rules as well.")
@_rules("--ignore", "-i", help="Skip these rules.")
@_many(
    "--severity",
    group=RULES,
    metavar="RULE=LEVEL",
    callback=levels,
    help="Override a severity: error, warning, info, off.",
)
@option("--no-weights", group=RULES, is_flag=True, help="Do not read weight values.")
@option("--verify", group=RULES, metavar="ort", callback=one_of("ort"),
        help="Check predictions against ONNX Runtime's optimizer.")  # fmt: skip
@option("--probe", group=probing.GROUP, metavar="[BACKEND]", callback=one_of_found(probing.names),
        help=f"Test with a real runtime: {probing.NAMES}.")  # fmt: skip
@probing.limits
@_many("--exclude", group=FILES, metavar="GLOB", help="Skip matching files and folders.")
@_many("--include", group=FILES, metavar="GLOB", help="Also lint files with other suffixes.")
@option(
    "--force-exclude", group=FILES, is_flag=True, help="Apply excludes to files named explicitly."
)
@option(
    "--no-respect-gitignore", group=FILES, is_flag=True, help="Also lint files that git ignores."
)
@option("--stdin-filename", group=FILES, metavar="NAME", help="File name to report for '-'.")
@output_option(tuple(FORMATS), OUTPUT, complete_outputs)
@option("--statistics", group=OUTPUT, is_flag=True, help="Print counts and timings per rule.")
@option("--show-suppressed", group=OUTPUT, is_flag=True,
        help="Include suppressed findings (full and sarif).")  # fmt: skip
@option("--sarif-category", group=OUTPUT, metavar="NAME",
        help="Category of this upload.  [default: the deployments]")  # fmt: skip
@option("--quiet", "-q", group=OUTPUT, is_flag=True, help="Print findings only.")
@option("--verbose", "-v", group=OUTPUT, is_flag=True, help="Show every location and the evidence.")
@option(
    "--color",
    group=OUTPUT,
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="When to use color.  [default: auto]",
)
@option(
    "--fail-on",
    group=EXIT,
    metavar="LEVEL",
    callback=one_of(*get_args(FailOn)),
    help="Fail at this severity: error, warning, info, never.  [default: error]",
)
@option("--exit-zero", group=EXIT, is_flag=True, help="Exit with 0 even if there are findings.")
@option(
    "--baseline", group=EXIT, metavar="FILE", help="File of known findings, which do not count."
)
@option(
    "--write-baseline",
    group=EXIT,
    is_flag=True,
    help="Record all current findings in the baseline.",
)
@option("--config", group=CONFIGURATION, metavar="FILE", type=click.Path(path_type=Path),
        envvar="MODELLINT_CONFIG", help="Use this file, not the nearest one.")  # fmt: skip
@option("--isolated", group=CONFIGURATION, is_flag=True, help="Ignore all configuration files.")
@option("--show-settings", group=CONFIGURATION, is_flag=True, help="Print the settings and exit.")
@option("--jobs", "-j", group=RUNNING, type=click.IntRange(min=1), metavar="N",
        help="Number of processes.  [default: chosen automatically]")  # fmt: skip
@option("--no-cache", group=RUNNING, is_flag=True, help="Do not read or write the cache.")
@option("--cache-dir", group=RUNNING, metavar="DIR", help="Cache folder.")
def command(paths: tuple[Path, ...], **given: Any) -> int:
    """Lint model files with any suffix, and folders recursively.

    The default path is the current folder; '-' is standard input.
    """
    from modellint.cli.stdin import spooled
    from modellint.report import Options

    _require_paths(paths)
    command_line = CommandLine(_settings(given), given["config"], given["isolated"])
    configs = Configs(command_line)
    if given["show_settings"]:
        from modellint.cli.settings import show_settings

        show_settings(paths or (Path(),), configs, command_line)
        return 0
    outputs = _outputs(given, configs)
    require_no_model(outputs, paths)

    from modellint.lint import Request, lint

    with spooled(paths or (Path(),), given["stdin_filename"]) as (files, shown_as):
        request = Request(
            files, command_line, given["write_baseline"], given["exit_zero"], shown_as
        )
        probes = configs.of(Path.cwd()).settings.probe is not None
        with (
            Progress(wanted=not given["quiet"]) as progress,
            probing.announced(progress, probes),
        ):
            outcome = lint(request, progress)
    options = Options(
        quiet=given["quiet"],
        verbose=given["verbose"],
        color=given["color"],
        root=_root(),
        category=given["sarif_category"],
        suppressed=given["show_suppressed"],
    )
    for output in outputs:
        output.write(partial(_draw, outcome.result), options)
    probing.write_report(given["probe_report"], outcome.result)
    if given["statistics"]:
        from modellint.report.full import write_statistics

        stream = sys.stderr if _is_machine_read(outputs) else sys.stdout
        write_statistics(outcome.result, stream, options)
    if not given["quiet"]:
        for text in dict.fromkeys(outcome.notes):
            note(text)
    return outcome.result.exit_code


def _draw(result: Result, name: str, stream: TextIO, options: Options) -> None:
    from modellint.report import write

    write(name, result, stream, options)


def _require_paths(paths: tuple[Path, ...]) -> None:
    """Raise for missing paths, which may be misspelled verbs."""
    from modellint.base.suggest import nearest
    from modellint.cli.app import VERBS

    for path in paths:
        if str(path) != "-" and not path.exists():
            verb = nearest(str(path), list(VERBS))
            hint = f"; did you mean 'modellint {verb}'?" if verb else ""
            raise UsageError(f"{path}: no such file or folder{hint}")


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings given as options, by field name."""
    values = {
        **given_settings(given),
        "dla": given["dla"] or None,
        "select": given["select"],
        "extend_select": given["extend_select"],
        "ignore": given["ignore"],
        "severity": given["severity"],
        "exclude": given["exclude"],
        "include": given["include"],
        "force_exclude": given["force_exclude"] or None,
        "respect_gitignore": False if given["no_respect_gitignore"] else None,
        "output": given["output"],
        "fail_on": given["fail_on"],
        "baseline": given["baseline"],
        "jobs": given["jobs"],
        "cache": False if given["no_cache"] else None,
        "cache_dir": given["cache_dir"],
        "weights": False if given["no_weights"] else None,
        "verify": given["verify"],
        **probing.settings(given),
    }
    return {name: value for name, value in values.items() if value not in (None, (), {})}


def _outputs(given: Mapping[str, Any], configs: Configs) -> list[Output]:
    """Return the reports requested on the command line or by the configuration."""
    formats = tuple(FORMATS)
    if given["output"]:
        return parse_outputs(given["output"], formats)
    config = configs.of(Path.cwd())
    parts = [text.partition(":") for text in config.settings.output]
    try:
        return parse_outputs(
            [name + (f":{config.path(file)}" if file else colon) for name, colon, file in parts],
            formats,
        )
    except UsageError as error:
        raise config.mistake(("output",), str(error)) from None


def _is_machine_read(outputs: Sequence[Output]) -> bool:
    return any(
        output.file is None and output.format not in ("full", "concise") for output in outputs
    )


def _root() -> str:
    """Return the top of the repository, which paths in machine-readable reports start from."""
    here = Path.cwd()
    top = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
    return str(top)
