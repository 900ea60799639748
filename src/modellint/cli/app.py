"""Entry point: finds the verb, runs it, and turns every outcome into an exit code."""

from __future__ import annotations

import atexit
import errno
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

import click

from modellint.base import interrupts
from modellint.base.errors import ModellintError, lacks_memory, reason_of
from modellint.base.install import installed_version
from modellint.base.links import REPOSITORY
from modellint.base.streams import drop_output, is_lost_reader, reader_may_leave
from modellint.base.terminal import color_wanted
from modellint.base.text import shorten
from modellint.cli.command import VerbGroup
from modellint.cli.console import printable

VERBS = {
    "check": "Lint models (the default for bare paths).",
    "inspect": "Show a model's contents and its memory and compute needs.",
    "diff": "Compare two models: what changed, and what breaks.",
    "optimize": "Write a model with all fixes that keep its outputs.",
    "probe": "Test models with a real runtime.",
    "quantize": "Quantize a model by a recipe for its deployment.",
    "fleet": "Lint many models on many workers, and summarize the findings.",
    "bench": "Time models in a real runtime, or read a profile.",
    "fingerprint": "Print what a run does and where its time goes, without names.",
    "compare": "Compare two runs: what got slower, and why.",
    "calibrate": "Fit a target file to measured runs.",
    "validate": "Compare time estimates with measured runs.",
    "rule": "Explain a rule.",
    "rules": "List the rules.",
    "targets": "List, show, or compare devices.",
    "init": "Write a commented configuration file.",
    "schema": "Print the JSON schema of the configuration file.",
    "lsp": "Serve an editor: completion, hover, diagnostics and findings as you work.",
    "mcp": "Serve agents over the Model Context Protocol: check, inspect, explain.",
    "doctor": "Report installed and missing dependencies, and this machine's setup.",
    "completion": "Print a shell completion script.",
}
"""Each verb is a module of this package with a function `command`; others are left out."""

ALIASES = {"lint": "check", "explain": "rule", "version": "--version"}
"""Words that other linters have for the same; a file of that name goes first."""

OWN_OPTIONS = ("--help", "-h", "--version")

EPILOG = """\b
Exit codes:
  0    no findings at or above --fail-on (default: error)
  1    findings at or above --fail-on
  2    invalid command line or configuration, or the system denies a resource
  3    internal error in modellint; all other findings were reported
  130  interrupted
  143  terminated (SIGTERM); 129 if the terminal closed (SIGHUP)
"""

USAGE_ERROR, INTERNAL_ERROR = 2, 3
LONGEST_NAME = 200
"""Longest name of a file in an error message."""


class SystemRefusalError(ModellintError):
    """The system lacks something that the run needs: a file, space, memory."""


class Verbs(VerbGroup):
    """Group that lists verbs without importing them and treats any other word as a path."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [verb for verb in VERBS if _is_verb(verb)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if not _is_verb(cmd_name):
            return None
        command: click.Command = import_module(f"modellint.cli.{cmd_name}").command
        return command

    def summaries(self, ctx: click.Context) -> list[tuple[str, str]]:
        return [(verb, VERBS[verb]) for verb in self.list_commands(ctx)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True, color=ctx.color)
            ctx.exit(USAGE_ERROR)
        if args and args[0] not in OWN_OPTIONS and not _is_verb(args[0]):
            args = _translated(args) or ["check", *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with _refusals():
            return super().invoke(ctx)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _refusals():
            return super().make_context(*args, **kwargs)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Complete paths as well as verbs; bash drops candidates listed before a path."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file"), *super().shell_complete(ctx, incomplete)]


def _translated(args: list[str]) -> list[str]:
    """Replace a word of other linters by ours, and say so; nothing for all other words."""
    from modellint.cli.console import note

    word, *rest = args
    if os.path.lexists(word):
        return []
    if word == "help":
        return [*rest[:1], "--help"]
    if word not in ALIASES:
        return []
    note(f"'modellint {word}' is 'modellint {ALIASES[word]}'")
    return [ALIASES[word], *rest]


@contextmanager
def _refusals() -> Iterator[None]:
    """Translate errors of the system before click does, to which a lost reader is exit code 1."""
    try:
        yield
    except OSError as error:
        if is_lost_reader(error):
            drop_output()
            raise click.exceptions.Exit(0) from error
        raise SystemRefusalError(_explained(error)) from error


def _is_verb(word: str) -> bool:
    from importlib.util import find_spec

    return word in VERBS and find_spec(f"modellint.cli.{word}") is not None


def _show_version(ctx: click.Context, option: click.Parameter, is_wanted: bool) -> None:
    if is_wanted and not ctx.resilient_parsing:
        click.echo(f"modellint {installed_version()}")
        ctx.exit()


@click.group(
    cls=Verbs,
    name="modellint",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def program() -> None:
    """A linter for neural-network model files.

    \b
    modellint models/ --target a10       lint a folder for a target device
    modellint rule FUS002                explain a rule
    modellint check --help               show all options
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def script() -> None:
    """Run as the command `modellint`, and end the process at once.

    Tearing down the interpreter object by object would take longer than linting a typical model.
    """
    try:
        main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # closed, or its reader is gone
            stream.flush()
    if interrupts.happened() and code != interrupts.exit_code():
        # It came during an import, and the run ended before it could be raised.
        os.write(2, f"{interrupts.word()}\n".encode())
        code = interrupts.exit_code()
    os._exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run the program and return its exit code, whatever happens."""
    try:
        code = program.main(
            list(arguments), prog_name="modellint", standalone_mode=False, color=color_wanted()
        )
        with reader_may_leave():
            sys.stdout.flush()
    except click.ClickException as error:
        _say(error.format_message(), _help_hint(error))
        return USAGE_ERROR
    except ModellintError as error:
        _say(str(error))
        return USAGE_ERROR
    except (KeyboardInterrupt, click.Abort):
        return _interrupted()
    except OSError as error:
        _say(_explained(error))
        return USAGE_ERROR
    except Exception as error:
        if lacks_memory(error):
            raise MemoryError from error  # the entry point needs least to say so
        if interrupts.happened():
            return _interrupted()
        _report_bug(error, arguments)
        return INTERNAL_ERROR
    return code if isinstance(code, int) else 0


def _interrupted() -> int:
    click.echo(interrupts.word(), err=True)
    return interrupts.exit_code()


def _explained(error: OSError) -> str:
    """Describe in one sentence the request that the system denied."""
    if error.filename is not None:
        name = shorten(os.fsdecode(error.filename), LONGEST_NAME)
        return f"{name}: {'it is closed' if error.errno == errno.EBADF else error.strerror}"
    try:
        os.getcwd()  # noqa: PTH109 - resolves nothing
    except FileNotFoundError:
        return "the working folder no longer exists"
    return reason_of(error)


def _say(message: str, hint: str = "") -> None:
    title = click.style("error:", fg="red", bold=True)
    text = f"{title} {printable(message)}" + (f"\n{hint}" if hint else "")
    click.echo(text, err=True, color=color_wanted())


def _help_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"See '{context.command_path} --help'." if context is not None else ""


def _report_bug(error: Exception, arguments: Sequence[str]) -> None:
    """Print everything a bug report needs, ready to paste."""
    import platform
    import shlex
    import traceback

    lines = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    click.echo(
        "error: internal error in modellint. Please report this bug with the following output:\n\n"
        f"```\nmodellint {installed_version()}, Python {platform.python_version()}, "
        f"{platform.platform()}\n"
        f"arguments: {printable(shlex.join(arguments))}\n\n{printable(lines.rstrip())}\n```\n"
        f"{REPOSITORY}/issues",
        err=True,
    )
