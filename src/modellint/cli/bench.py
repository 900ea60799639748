"""`modellint bench`: times models in their runtimes, and reads profiles of other tools."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from modellint.base.errors import UsageError
from modellint.cli.command import Command, option
from modellint.cli.console import Progress
from modellint.cli.given import Amount, Count, comma_lists
from modellint.cli.outputs import (
    HTML,
    JSON,
    color_option,
    files_of,
    force_option,
    plain_output_option,
    plain_outputs,
    require_replaceable,
    write_page,
)
from modellint.config.settings import OUTPUT

if TYPE_CHECKING:
    from modellint.benching.measuring import BenchCase, NotMeasured
    from modellint.model import Model
    from modellint.report.options import Options
    from modellint.results.measured import MeasuredRun
    from modellint.targets.deployment import Deployment

WHAT, HOW, PROFILES = "Sweep", "Measurement", "Profiles"
SUITES = ("micro", "workloads")
FAILED, DONE = 1, 0

EPILOG = """Examples:
  modellint bench model.onnx                          time, layers, memory
  modellint bench model.onnx --batch 1,2,4,8          how it grows with the batch
  modellint bench model.onnx -r onnxruntime,openvino  two runtimes, in turn
  modellint bench --suite micro --registry runs/      this machine, for calibrate
  modellint bench --import times.json --import profile.json --import layers.json
                  --json > run.json                   one run from what trtexec exports

Exit codes:
  0  all were measured    1  some could not be measured    2  usage error
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("models", nargs=-1, type=click.Path(path_type=Path), metavar="[MODEL]...")
@option(
    "--suite",
    group=WHAT,
    type=click.Choice(SUITES),
    help="Measure generated models: single operators, or complete networks.",
)
@option(
    "--runtime",
    "-r",
    "runtimes",
    group=WHAT,
    multiple=True,
    metavar="NAME",
    callback=comma_lists,
    help="onnxruntime, openvino, tflite, pytorch or llama.cpp; several take turns.  "
    "[default: the format's]",
)
@option(
    "--provider",
    group=WHAT,
    metavar="NAME",
    help="ONNX Runtime's execution provider: cuda, tensorrt, cpu.  [default: a GPU's if present]",
)
@option(
    "--batch",
    "-b",
    "batches",
    group=WHAT,
    multiple=True,
    metavar="N,...",
    callback=comma_lists,
    help="Batch sizes.  [default: the model's, or 1]",
)
@option(
    "--shape",
    "shapes",
    group=WHAT,
    multiple=True,
    metavar="NAME=SHAPE",
    help="Shape of an input: x=1x3x224x224; several of one input are a sweep.",
)
@option(
    "--threads",
    group=HOW,
    metavar="N",
    type=Count(),
    help="Threads of a runtime on the CPU.  [default: the machine's cores]",
)
@option(
    "--seconds",
    group=HOW,
    metavar="SECONDS",
    type=Amount(),
    default=1.0,
    help="Duration of a round, without loading and warm-up.  [default: 1]",
)
@option(
    "--rounds",
    group=HOW,
    metavar="N",
    type=Count(),
    default=5,
    help="Rounds, each in its own process; up to three times as many if times vary.  [default: 5]",
)
@option(
    "--timeout",
    group=HOW,
    metavar="SECONDS",
    type=Amount(),
    default=300.0,
    help="Time limit of a round.  [default: 300]",
)
@option("--no-layers", group=HOW, is_flag=True, help="Do not measure layers.")
@option(
    "--import",
    "imported",
    group=PROFILES,
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Read a profile instead of measuring; several files are parts of one run.",
)
@option(
    "--registry",
    group=OUTPUT,
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Add each run to this folder as a separate file.",
)
@plain_output_option
@force_option
@option("--json", "as_json", group=OUTPUT, is_flag=True, help="Same as --output json.")
@option("--verbose", "-v", group=OUTPUT, is_flag=True, help="Show all layers.")
@color_option
def command(models: tuple[Path, ...], **given: Any) -> int:
    """Time models in a real runtime: median, spread, layers, memory, energy.

    Each round of a model runs in its own process, with limits; models take turns.
    """
    outputs = plain_outputs(given)
    files = files_of(outputs)
    if not given["force"]:
        require_replaceable(files, models)
    runs, failures = _imported(models, given) if given["imported"] else _measured(models, given)
    if given["registry"] is not None:
        from modellint.profiles import registry

        for run in runs:
            registry.add(run, given["registry"])
    from modellint.report.options import Options

    options = Options(verbose=given["verbose"], color=given["color"])
    for output in outputs:
        output.write(partial(_draw, runs, failures), options)
    if any(output.format == JSON for output in outputs):
        for each in failures:
            click.echo(f"{each.label}: {each.reason}", err=True)
    return FAILED if failures else DONE


def _imported(
    models: Sequence[Path], given: Mapping[str, Any]
) -> tuple[list[MeasuredRun], list[NotMeasured]]:
    """Read one run from the files of a profile, for the model that was named, if any."""
    from dataclasses import replace

    from modellint.profiles import read_run

    if len(models) > 1 or given["suite"]:
        raise UsageError("--import reads the profile of one model")
    run = read_run(given["imported"])
    if models:
        from modellint.benching.measuring import run_model
        from modellint.profiles.profiled import placed

        opened = _opened(models[0])
        run = placed(replace(run, model=run_model(opened)), opened)
    return [run], []


def _measured(
    models: Sequence[Path], given: Mapping[str, Any]
) -> tuple[list[MeasuredRun], list[NotMeasured]]:
    from dataclasses import replace

    from modellint.base.temporary import temporary_folder
    from modellint.benching.measuring import Effort, NotMeasured, measure
    from modellint.profiles.profiled import placed

    if not models and not given["suite"]:
        raise UsageError("give models, --suite, or a profile to --import")
    rounds = given["rounds"]
    effort = Effort(
        given["seconds"], rounds, 3 * rounds, given["timeout"], profile=not given["no_layers"]
    )
    with temporary_folder() as folder:
        paths = [*models, *(_made(given["suite"], folder) if given["suite"] else ())]
        opened = [_opened(path) for path in paths]
        cases = [case for model in opened for case in _cases(model, given)]
        with Progress(wanted=not given["as_json"]) as progress:
            results = measure(cases, effort, progress.say)
        runs = [
            placed(each, case.model)
            for each, case in zip(results, cases, strict=True)
            if not isinstance(each, NotMeasured)
        ]
    if given["suite"]:
        runs = [replace(run, model=replace(run.model, nbytes=None)) for run in runs]
    return runs, [each for each in results if isinstance(each, NotMeasured)]


def _made(suite: str, folder: Path) -> list[Path]:
    from modellint.benching.suites import write_suite

    return write_suite(suite, folder)


def _opened(path: Path) -> Model:
    from modellint.formats import read_model

    if not path.exists():
        raise UsageError(f"{path}: no such file")
    model = read_model(path)
    fatal = next((problem.kind for problem in model.problems if problem.fatal), None)
    if fatal is not None:
        hint = "; a profile is read with --import" if fatal == "not-a-model" else ""
        raise UsageError(f"{path} cannot be read ({fatal.replace('-', ' ')}){hint}")
    return model


def _cases(model: Model, given: Mapping[str, Any]) -> Iterator[BenchCase]:
    from modellint.analysis.precision import running_precision
    from modellint.benching.backends import backend_for
    from modellint.benching.inputs import bench_inputs
    from modellint.benching.measuring import BenchCase

    backends = [backend_for(model.format, name) for name in given["runtimes"] or (None,)]
    for deployment in _deployments(given):
        feed, batch = bench_inputs(model, deployment)
        for backend in backends:
            yield BenchCase(
                model,
                backend,
                feed,
                batch,
                given["threads"] or os.cpu_count() or 1,
                given["provider"],
                running_precision(model, deployment) if model.has_graph else None,
            )


def _deployments(given: Mapping[str, Any]) -> Iterator[Deployment]:
    """Iterate over all combinations of batches and shapes."""
    from modellint.targets.deployment import Deployment
    from modellint.targets.shapes import parse_shape

    batches: list[int | None] = []
    for text in given["batches"]:
        if not text.isdecimal() or not int(text[:9]) > 0 or len(text) > 9:
            raise UsageError(f"--batch {text}: not a batch size")
        batches.append(int(text))
    shapes: dict[str, list[Any]] = {}
    for text in given["shapes"]:
        ((name, shape),) = _pair(text).items()
        shapes.setdefault(name, []).append(parse_shape(shape))
    for batch in batches or [None]:
        for chosen in product(*shapes.values()):
            yield Deployment(batch=batch, shapes=dict(zip(shapes, chosen, strict=True)))


def _pair(text: str) -> dict[str, str]:
    name, equals, shape = text.rpartition("=")
    if not equals or not name or not shape:
        raise UsageError(f"--shape {text}: expected NAME=SHAPE (example: x=1x3x224x224)")
    return {name: shape}


def _draw(
    runs: Sequence[MeasuredRun],
    failures: Sequence[NotMeasured],
    name: str,
    stream: TextIO,
    options: Options,
) -> None:
    if name == JSON:
        from modellint.profiles import write_json

        stream.write(write_json(runs))
        return
    if name == HTML:
        from modellint.report.html import bench_page

        write_page(bench_page(runs, [f"{each.label}: {each.reason}" for each in failures]), stream)
        return
    from modellint.report.measured import write

    write(runs, [(each.label, each.reason) for each in failures], stream, options)
