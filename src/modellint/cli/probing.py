"""Probing options shared by `check` and `probe`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from modellint.cli.command import Command, option
from modellint.cli.console import Progress
from modellint.config.settings import PROBING

AUTO = "auto"


def backends() -> tuple[str, ...]:
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
        alone = arg == "--probe" and at < options_end and follows not in backends()
        spelt.append(f"--probe={AUTO}" if alone else arg)
    return spelt


report_option = option(
    "--probe-report",
    group=PROBING,
    metavar="FILE",
    help="Write how well rules and runtime agree; '-' is standard output.",
)


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
