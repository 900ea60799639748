"""Probing options shared by `check` and `probe`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from modellint.cli.command import Command, option
from modellint.cli.console import Progress

GROUP = "Probing"
AUTO = "auto"
NAMES = "auto, or a runtime listed under Probes by 'modellint doctor'"


def names() -> tuple[str, ...]:
    """Return the choices of `--probe`."""
    from modellint.runtimes import runtimes

    return (AUTO, *(name for name, runtime in runtimes().items() if runtime.probe is not None))


class ProbingCommand(Command):
    """Command that accepts `--probe` without a value, even when a path follows."""

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
    """Add the options for the depth and the limits of probes."""
    for decorate in reversed((
        option("--probe-level", group=GROUP, type=click.Choice(["parse", "build"]), default=None,
               help="Only parse, or build.  [default: build]"),
        option("--probe-timeout", group=GROUP, type=click.FloatRange(min=0, min_open=True),
               metavar="SECONDS", help="Time limit of a probe.  [default: 300]"),
        option("--probe-memory", group=GROUP, metavar="SIZE",
               help="Memory limit of a probe (example: 8GiB).  [default: 3/4 of RAM]"),
        option("--probe-workspace", group=GROUP, metavar="SIZE",
               help="Workspace memory for the compiler."),
        option("--save-engine", group=GROUP, metavar="DIR", help="Keep the engines here."),
        option("--probe-report", group=GROUP, metavar="FILE",
               help="Write how far rules and runtime agree; '-' is standard output."),
    )):  # fmt: skip
        command = decorate(command)
    return command


def settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings given as options, by field name."""
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
    """Show the running probe and its elapsed time in the progress bar."""
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
    """Write the agreement between rules and runtimes to the file of `--probe-report`."""
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
        raise UsageError(f"cannot write {file}: {error.strerror}") from error
