"""`modellint calibrate`: a target file from measured runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from modellint.base.errors import UsageError
from modellint.base.files import require_replaceable, write_atomically
from modellint.cli.command import Command, option
from modellint.config.settings import OUTPUT

FIT = "Fit"
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")

EPILOG = """Examples:
  modellint bench --suite micro --threads 1 --registry runs/
  modellint calibrate --target my-cpu runs/                   writes my-cpu.toml
  modellint calibrate --target my-cpu runs/ --models models/  with runs of other models
  modellint calibrate --target my-cpu runs/ --from old.toml --only memory --only cache

Exit codes:
  0  success    2  usage error
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUNS...")
@option("--target", group=FIT, required=True, metavar="NAME", help="Id of the new target.")
@option(
    "--models",
    group=FIT,
    multiple=True,
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Models of the runs, besides those of suites; repeatable.",
)
@option(
    "--from",
    "start",
    group=FIT,
    metavar="TARGET",
    help="Start from this calibrated CPU (an id or a target file) instead of this machine.",
)
@option(
    "--only",
    group=FIT,
    multiple=True,
    metavar="NAME",
    help="Fit only this coefficient, or peaks; the others stay those of --from. Repeatable.",
)
@option(
    "--output",
    "-o",
    "out",
    group=OUTPUT,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="File to write.  [default: NAME.toml]",
)
@option("--force", group=OUTPUT, is_flag=True, help="Overwrite the file.")
def command(runs: tuple[Path, ...], target: str, out: Path | None, **given: Any) -> int:
    """Fit a CPU's peak rates and time coefficients to measured runs, and write a target file.

    Runs are files of modellint bench, or registries. Models of --suite are generated again.
    """
    from modellint.base.temporary import temporary_folder
    from modellint.benching.calibrating import Start, calibrate, target_file
    from modellint.benching.measured_models import ModelFinder
    from modellint.profiles import read_runs
    from modellint.targets import HOST, find_target_or_file

    if not _ID.fullmatch(target):
        raise UsageError(f"--target {target}: use lower-case letters, digits and hyphens")
    path = out or Path(f"{target}.toml")
    require_replaceable(path, force=given["force"])
    measured = [run for run in read_runs(runs) if run.layers]
    if given["only"] and not given["start"]:
        raise UsageError("--only needs --from: the target that has the other coefficients")
    start = Start(find_target_or_file(given["start"] or HOST), frozenset(given["only"]))
    names = {run.runtime.name for run in measured}
    if len(names) != 1:
        raise UsageError(
            f"the runs are from {len(names)} runtimes; give runs of a single one, with layers"
        )
    with temporary_folder() as folder:
        finder = ModelFinder(given["models"], folder)
        pairs = [(run, model) for run, model in finder.found(measured) if model is not None]
        if not pairs:
            raise UsageError("no models of the runs were found; name them with --models")
        (runtime,) = names
        fit = calibrate(target, start, pairs, runtime)
    devices = list(dict.fromkeys(run.device.name for run, _ in pairs if run.device.name))
    try:
        write_atomically(path, target_file(fit, runtime, devices))
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    left = (
        f", {len(measured) - len(pairs)} without their model" if len(pairs) < len(measured) else ""
    )
    click.echo(
        f"{path}: fitted to {fit.layers} layers of {len(pairs)} runs{left}; mean error of a layer "
        f"{fit.mape:.0%}. Check it against other models with modellint validate."
    )
    return 0
