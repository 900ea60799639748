"""`modellint check`, the default verb for bare paths."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import click

from modellint.base.errors import UsageError
from modellint.base.text import counted
from modellint.cli import probing
from modellint.cli.command import option
from modellint.cli.configuration import GROUP as CONFIGURATION
from modellint.cli.configuration import configurable
from modellint.cli.console import Progress, note
from modellint.cli.looks import looks_at, wants_looks
from modellint.cli.options import given_settings, setting, settings_in
from modellint.cli.outputs import (
    HTML,
    Output,
    color_option,
    configured_outputs,
    files_of,
    force_option,
    output_option,
    parse_outputs,
    require_replaceable,
    write_page,
)
from modellint.cli.places import Place, PlaceType, are_remote, note_fetched, reached_from
from modellint.cli.running import fix_data_option
from modellint.config.load import CommandLine, Config, Configs
from modellint.config.settings import (
    DEPLOYMENT,
    EXIT,
    FILES,
    FIXING,
    LANGUAGE,
    OUTPUT,
    PROBING,
    PROFILE,
    RULES,
    RUNNING,
)
from modellint.report import FORMATS

if TYPE_CHECKING:
    from modellint.cli.looks import Look
    from modellint.lint import Linted, Request
    from modellint.report import Options
    from modellint.results.finding import Result
    from modellint.results.fixed import FileFixes

READABLE = ("full", "concise")
"""Formats for people, on a terminal."""

EPILOG = """Exit codes:
  0  no findings at or above --fail-on    1    findings
  2  usage or configuration error         3    internal error
  130, 143, 129  ended by SIGINT, SIGTERM, SIGHUP
"""


@click.command(cls=probing.ProbingCommand, epilog=EPILOG)
@click.argument("paths", nargs=-1, type=PlaceType(), metavar="[PATH|URL]...")
@settings_in(DEPLOYMENT)
@settings_in(LANGUAGE)
@settings_in(RULES)
@option("--fix", group=FIXING, is_flag=True, help="Fix findings, prove each fix, and lint again.")
@option(
    "--diff", group=FIXING, is_flag=True, help="Show what --fix would change, and write nothing."
)
@option(
    "--fix-to",
    group=FIXING,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write fixed models to this folder; the originals stay.",
)
@fix_data_option
@settings_in(FIXING)
@settings_in(PROBING)
@probing.report_option
@settings_in(PROFILE)
@settings_in(FILES)
@option("--stdin-filename", group=FILES, metavar="NAME", help="File name to report for '-'.")
@output_option(tuple(FORMATS), "output")
@force_option
@option("--statistics", group=OUTPUT, is_flag=True, help="Print counts and timings per rule.")
@option(
    "--group-by",
    group=OUTPUT,
    type=click.Choice(["auto", "model", "rule"]),
    default="auto",
    help="Sections of the full report.  [default: auto: by rule if many models have findings]",
)
@option(
    "--max-findings",
    group=OUTPUT,
    metavar="N",
    type=click.IntRange(min=0),
    help="Print at most N findings in the full report; count the rest.",
)
@setting("max_findings_per_rule")
@option(
    "--show-suppressed",
    group=OUTPUT,
    is_flag=True,
    help="Include suppressed findings (full and sarif).",
)
@option(
    "--sarif-category",
    group=OUTPUT,
    metavar="NAME",
    help="Category of this upload.  [default: the deployments]",
)
@option("--quiet", "-q", group=OUTPUT, is_flag=True, help="Print findings only.")
@option("--verbose", "-v", group=OUTPUT, is_flag=True, help="Show every location and the evidence.")
@color_option
@setting("fail_on")
@option("--exit-zero", group=EXIT, is_flag=True, help="Exit with 0 even if there are findings.")
@setting("baseline")
@option(
    "--write-baseline",
    group=EXIT,
    is_flag=True,
    help="Record all current findings in the baseline.",
)
@configurable
@option("--show-settings", group=CONFIGURATION, is_flag=True, help="Print the settings and exit.")
@settings_in(RUNNING)
def command(paths: tuple[Place, ...], **given: Any) -> int:
    """Lint model files with any suffix, and folders recursively.

    The default path is the current folder; '-' is standard input. Addresses are read in place:
    s3://, gs://, az://, hf://, https://.
    """
    command_line = CommandLine(given_settings(given), given["config"], given["isolated"])
    configs = Configs(command_line)
    _require_paths([path for path in paths if isinstance(path, Path)])
    if are_remote(paths) and (given["fix"] or given["fix_to"] or given["diff"]):
        raise UsageError("remote models cannot be fixed in place; fix a local copy")
    with reached_from(paths, configs.of(Path.cwd())) as local:
        return _check(local, command_line, configs, given)


def _check(
    paths: tuple[Path, ...], command_line: CommandLine, configs: Configs, given: dict[str, Any]
) -> int:
    from modellint.cli.stdin import spooled

    if given["show_settings"]:
        from modellint.cli.settings import show_settings

        show_settings(paths or (Path(),), configs, command_line)
        return 0
    outputs = _outputs(given, configs.of(Path.cwd()))
    _require_replaceable(given, outputs, paths)

    from modellint.lint import Request, lint

    with spooled(paths or (Path(),), given["stdin_filename"]) as (files, shown_as):
        request = Request(
            files,
            command_line,
            given["write_baseline"],
            given["exit_zero"],
            shown_as,
            keeps_finished=True,
            force=given["force"],
        )
        fixes: tuple[FileFixes, ...] = ()
        if given["fix"] or given["diff"] or given["fix_to"]:
            fixes, request = _fixed(request, given)
        if given["diff"]:
            return _show_fixes(fixes, outputs, given)
        probes = configs.of(Path.cwd()).settings.probe is not None
        with (
            Progress(wanted=not given["quiet"]) as progress,
            probing.announced(progress, probes),
            progress.watching(),
        ):
            outcome = lint(request, progress)
        if outcome.unfinished:
            _show_finished(outcome, outputs, _options(given))
        looks = list(looks_at(request.paths, shown_as, configs)) if wants_looks(outputs) else []
    options = _options(given)
    result = replace(outcome.result, fixes=fixes)
    for output in outputs:
        output.write(partial(_draw, result, looks), options)
    probing.write_report(given["probe_report"], outcome.result)
    if given["statistics"]:
        from modellint.report.full import write_statistics

        stream = sys.stderr if _is_machine_read(outputs) else sys.stdout
        write_statistics(outcome.result, stream, options)
    if not given["quiet"]:
        for text in dict.fromkeys((*outcome.notes, *_unsaid(result, outputs))):
            note(text)
        if given["verbose"]:
            note_fetched(outcome.fetched)
    return outcome.result.exit_code


def _show_finished(outcome: Linted, outputs: Sequence[Output], options: Options) -> NoReturn:
    """Print what an interrupted run has found, but let no file say that this is all."""
    for output in outputs:
        if output.file is None and output.format in READABLE:
            output.write(partial(_draw, outcome.result, ()), options)
    finished = len(outcome.result.models)
    note(f"{finished:,} of {counted(finished + outcome.unfinished, 'model')} were linted")
    raise KeyboardInterrupt


def _options(given: Mapping[str, Any]) -> Options:
    from modellint.report import Options

    return Options(
        quiet=given["quiet"],
        verbose=given["verbose"],
        color=given["color"],
        root=_root(),
        category=given["sarif_category"],
        group_by=given["group_by"],
        most=given["max_findings"],
        suppressed=given["show_suppressed"],
    )


def _fixed(request: Request, given: Mapping[str, Any]) -> tuple[tuple[FileFixes, ...], Request]:
    """Fix the models of a request; return what to lint afterwards: the fixed ones."""
    from modellint.lint.fixing import fix

    if request.shown_as:
        raise UsageError("a model from standard input cannot be fixed")
    with Progress(wanted=not given["quiet"]) as progress:
        return fix(
            request,
            to=given["fix_to"],
            nowhere=given["diff"],
            force=given["force"],
            data=given["fix_data"],
            say=progress.say,
        )


def _show_fixes(
    fixes: Sequence[FileFixes], outputs: Sequence[Output], given: Mapping[str, Any]
) -> int:
    """Show what would change; return 1 if anything would."""
    from modellint.results.finding import Result

    result = Result((), (), {}, int(any(each.fixed for each in fixes)), 0.0, fixes=tuple(fixes))
    for output in outputs:
        draw = partial(_draw_fixes, result)
        if output.format != "full":
            draw = partial(_draw, result, ())
        output.write(draw, _options(given))
    return result.exit_code


def _draw_fixes(result: Result, name: str, stream: TextIO, options: Options) -> None:
    from modellint.report import fix

    fix.write(result.fixes, stream, options, changes=True)


def _draw(
    result: Result, looks: Sequence[Look], name: str, stream: TextIO, options: Options
) -> None:
    if name == HTML:
        from modellint.report.html import check_page

        write_page(check_page(result, options, looks), stream)
        return
    from modellint.report import write

    write(name, result, stream, options)


def _unsaid(result: Result, outputs: Sequence[Output]) -> Iterator[str]:
    """Iterate over the run's assumptions, if no report lists them."""
    from modellint.report import SILENT
    from modellint.report.assumed import sentences

    if all(output.format in SILENT for output in outputs):
        yield from sentences(result)


def _require_paths(paths: Sequence[Path]) -> None:
    """Raise for missing paths, which may be misspelled verbs."""
    from modellint.base.suggest import nearest
    from modellint.cli.app import VERBS

    for path in paths:
        if str(path) != "-" and not path.exists():
            verb = nearest(str(path), list(VERBS))
            hint = f"; did you mean 'modellint {verb}'?" if verb else ""
            raise UsageError(f"{path}: no such file or folder{hint}")


def _outputs(given: Mapping[str, Any], config: Config) -> list[Output]:
    """Return the reports requested on the command line or by the configuration."""
    if given["output"]:
        return parse_outputs(given["output"], tuple(FORMATS))
    return configured_outputs(config)


def _require_replaceable(
    given: Mapping[str, Any], outputs: Sequence[Output], models: Sequence[Path]
) -> None:
    """Raise if a report would overwrite something else; only what is named here can be forced."""
    files = files_of(outputs, given["probe_report"])
    if not given["force"]:
        require_replaceable(files, models)
    elif not given["output"]:
        require_replaceable(files_of(outputs), models)


def _is_machine_read(outputs: Sequence[Output]) -> bool:
    return any(output.file is None and output.format not in READABLE for output in outputs)


def _root() -> str:
    """Return the top of the repository, which paths in machine-readable reports start from."""
    here = Path.cwd()
    top = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
    return str(top)
