"""The options that ask real runtimes, which `check` and `probe` share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from modellint.cli.command import Command, option
from modellint.cli.console import Progress

GROUP = "Asking real runtimes"
AUTO = "auto"
NAMES = "auto, or a runtime that 'modellint doctor' lists under Probes"


def names() -> tuple[str, ...]:
    """All that may stand after `--probe`."""
    from modellint.runtimes import runtimes

    return (AUTO, *(name for name, runtime in runtimes().items() if runtime.probe is not None))


class ProbingCommand(Command):
    """Lets `--probe` stand alone, and leaves the path after it a path."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(_with_backend(args)))


def _with_backend(args: Sequence[str]) -> Sequence[str]:
    spelt = []
    options_end = args.index("--") if "--" in args else len(args)
    for at, arg in enumerate(args):
        follows = args[at + 1] if at + 1 < len(args) else ""
        alone = arg == "--probe" and at < options_end and follows not in names()
        spelt.append(f"--probe={AUTO}" if alone else arg)
    return spelt


def limits(command: Callable[..., Any]) -> Callable[..., Any]:
    """How far a runtime is asked, and what that may cost."""
    for decorate in reversed((
        option("--probe-level", group=GROUP, type=click.Choice(["parse", "build"]), default=None,
               help="Whether it parses, or whether it builds.  [default: build]"),
        option("--probe-timeout", group=GROUP, type=click.FloatRange(min=0, min_open=True),
               metavar="SECONDS", help="Time that one probe may take.  [default: 300]"),
        option("--probe-memory", group=GROUP, metavar="SIZE",
               help="Memory that one probe may take, as 8GiB.  [default: 3/4 of this machine's]"),
        option("--probe-workspace", group=GROUP, metavar="SIZE",
               help="Scratch memory that a compiler may plan with."),
        option("--save-engine", group=GROUP, metavar="DIR", help="Keep engines."),
        option("--probe-report", group=GROUP, metavar="FILE",
               help="Write what agrees and disagrees with the rules; '-' is standard output."),
    )):  # fmt: skip
        command = decorate(command)
    return command


def settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are settings, by field name."""
    return {
        "probe": given["probe"],
        "probe_level": given["probe_level"],
        "probe_timeout": given["probe_timeout"],
        "probe_memory": given["probe_memory"],
        "probe_workspace": given["probe_workspace"],
        "save_engine": str(Path(given["save_engine"]).absolute()) if given["save_engine"] else None,
    }


@contextmanager
def announced(progress: Progress, wanted: bool = True) -> Iterator[None]:
    """Have the progress bar say what is being probed, and for how long, where anything is."""
    if not wanted:
        yield
        return
    from modellint.probes import listen

    listen(lambda what, seconds: progress.say(f"{what}, {seconds:.0f} s"))
    try:
        yield
    finally:
        listen(None)


def write_report(file: str | None, result: Any) -> None:
    """The agreement of rules and runtimes, where `--probe-report` wants it."""
    if file is None:
        return
    from modellint.base.errors import UsageError
    from modellint.base.files import write_atomically
    from modellint.report.probe import agreement

    text = agreement(result)
    if file == "-":
        click.echo(text, nl=False)
        return
    try:
        write_atomically(Path(file), text)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
