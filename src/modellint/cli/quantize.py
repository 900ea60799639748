"""`modellint quantize`: ONNX Runtime's quantizer by a recipe that is known to be good."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modellint.base.errors import UsageError
from modellint.base.files import require_replaceable
from modellint.cli.command import Command, option
from modellint.cli.console import Progress
from modellint.cli.outputs import color_option
from modellint.cli.running import DATA, input_options, read_inputs
from modellint.config.settings import OUTPUT

if TYPE_CHECKING:
    from modellint.execution import Arrays
    from modellint.model import Model
    from modellint.quantizing.recipes import Recipe
    from modellint.results.finding import Finding
    from modellint.results.quantized import Failed, Judgment, Quantized

RECIPES = ("tensorrt-int8", "onnxruntime-int8", "dynamic", "int4")
METHODS = {"minmax": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}
HOW = "Quantization"
MADE_UP = 8
"""Random inputs, for calibration if that is asked for, and to compare outputs on."""
MOST_FINDINGS = 5
DROPPED, DONE = 1, 0

EPILOG = """Examples:
  modellint quantize model.onnx -o int8.onnx --recipe tensorrt-int8 --data images/
  modellint quantize model.onnx -o out/ --recipe dynamic --recipe int4
  modellint quantize model.onnx -o int8.onnx --recipe onnxruntime-int8 --data val.npz
                     --max-drop top1=1%   keep sensitive layers in float

Exit codes:
  0  written, and within --max-drop    1  it could not be quantized, or the linter finds errors
  2  usage error
"""


@click.command(cls=Command, epilog=EPILOG)
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL")
@option(
    "--output",
    "-o",
    "out",
    group=OUTPUT,
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="File to write; a folder for several recipes.",
)
@option(
    "--recipe",
    "recipes",
    group=HOW,
    required=True,
    multiple=True,
    metavar="NAME",
    help=f"{', '.join(RECIPES)}; repeatable.",
)
@option(
    "--max-drop",
    group=HOW,
    metavar="LIMIT",
    help="Keep layers in float until this holds: top1=1%, cosine=0.01 or sqnr=20 (dB).",
)
@option(
    "--keep-float",
    group=HOW,
    multiple=True,
    metavar="NODE",
    help="Keep this layer in float; repeatable.",
)
@option(
    "--calibration",
    group=HOW,
    type=click.Choice(list(METHODS)),
    default="minmax",
    help="Method for choosing ranges.  [default: minmax]",
)
@option(
    "--reduce-range",
    group=HOW,
    is_flag=True,
    help="Use 7-bit weights, for x86 CPUs without VNNI.",
)
@input_options
@option(
    "--calibrate",
    group=DATA,
    type=click.Choice(["random"]),
    help="Calibrate on random inputs; the scales are then meaningless.",
)
@option("--json", "as_json", group=OUTPUT, is_flag=True, help="Print JSON.")
@option("--force", group=OUTPUT, is_flag=True, help="Overwrite files.")
@option("--verbose", "-v", group=OUTPUT, is_flag=True, help="Show all rows.")
@color_option
def command(model: Path, out: Path, recipes: tuple[str, ...], **given: Any) -> int:
    """Quantize a model by a recipe for its deployment, and lint the result.

    Outputs and layers are compared with the float model's, on the same inputs.
    """
    if find_spec("onnxruntime") is None:
        from modellint.base.install import install_command

        raise UsageError(f"quantizing needs ONNX Runtime: {install_command('ort')}")
    from modellint.formats import read_model
    from modellint.quantizing.recipes import find_recipe
    from modellint.report.options import Options
    from modellint.report.quantize import write
    from modellint.results.quantized import Quantized, QuantizedModel

    chosen = [find_recipe(name) for name in dict.fromkeys(recipes)]
    places = _places(model, out, chosen, force=given["force"])
    opened = read_model(model)
    fatal = next((problem.kind for problem in opened.problems if problem.fatal), None)
    if fatal is not None:
        raise UsageError(f"{model} cannot be read: {fatal}")
    with Progress(wanted=not given["as_json"]) as progress:
        results = [
            _one(opened, recipe, place, given, progress)
            for recipe, place in zip(chosen, places, strict=True)
        ]
    whole = QuantizedModel(str(model), tuple(results))
    if given["as_json"]:
        from modellint.report.strict import dumps

        click.echo(dumps(whole.to_json(), 2))
    else:
        write(whole, sys.stdout, Options(verbose=given["verbose"], color=given["color"]))
    is_fine = all(
        isinstance(each, Quantized)
        and each.holds is not False
        and (each.judgment is None or not each.judgment.errors)
        for each in results
    )
    return DONE if is_fine else DROPPED


def _places(model: Path, out: Path, recipes: Sequence[Recipe], *, force: bool) -> list[Path]:
    """Return the file for each recipe; raise if one would overwrite something."""
    if len(recipes) > 1 or out.is_dir():
        if not out.is_dir() and (out.exists() or out.suffix == ".onnx"):
            raise UsageError(f"{out} is a file; several recipes need a folder")
        out.mkdir(parents=True, exist_ok=True)
        places = [out / f"{model.stem}.{recipe.name}.onnx" for recipe in recipes]
    else:
        places = [out]
    for place in places:
        if place.exists() and model.exists() and place.samefile(model):
            raise UsageError(f"{place} is the model itself; write to another file")
        require_replaceable(place, force=force)
        if not place.parent.is_dir():
            raise UsageError(f"{place.parent} is not a folder")
    return places


def _one(
    model: Model, recipe: Recipe, place: Path, given: dict[str, Any], progress: Progress
) -> Quantized | Failed:
    from modellint.execution.limits import parse_limit
    from modellint.quantizing.quantizer import Order, QuantizationError, quantize
    from modellint.results.quantized import Failed

    feeds, data = _feeds(model, recipe, given)
    order = Order(
        model,
        recipe,
        feeds,
        data,
        is_random=given["data"] is None,
        limit=parse_limit(given["max_drop"]) if given["max_drop"] else None,
        kept=given["keep_float"],
        calibration=METHODS[given["calibration"]],
        reduce_range=given["reduce_range"],
    )
    try:
        done = quantize(order, place, lambda step: progress.say(f"{recipe.name}: {step}"))
    except QuantizationError as error:
        return Failed(recipe.name, str(error))
    progress.say(f"{recipe.name}: linting")
    return replace(done, judgment=_judged(model.path, place, recipe))


def _feeds(model: Model, recipe: Recipe, given: dict[str, Any]) -> tuple[list[Arrays], str]:
    """Return inputs, and their description."""
    from modellint.execution import NoInputsError, made_up

    if given["data"] is not None:
        return read_inputs(model, given), given["data"].name
    if recipe.calibrates and given["calibrate"] is None:
        raise UsageError(
            f"{recipe.name} needs inputs to calibrate on: --data PATH, "
            "or --calibrate random, whose scales are meaningless"
        )
    try:
        return [made_up(model, given["seed"] + n) for n in range(MADE_UP)], "random inputs"
    except NoInputsError as error:
        raise UsageError(f"{model.path}: {error}; give inputs with --data") from error


def _judged(model: Path, path: Path, recipe: Recipe) -> Judgment:
    """Lint the result for the recipe's deployment, without findings that the float model has."""
    from modellint.results.finding import Severity
    from modellint.results.quantized import Judgment

    before = {finding.code for finding in _findings(model, recipe)}
    found = [finding for finding in _findings(path, recipe) if finding.code not in before]
    found.sort(key=lambda finding: finding.severity, reverse=True)
    errors, warnings, infos = (
        sum(finding.severity is level for finding in found)
        for level in (Severity.ERROR, Severity.WARNING, Severity.INFO)
    )
    severe = [each for each in found if each.severity > Severity.INFO]
    first = tuple(f"{each.code} {each.message}" for each in severe[:MOST_FINDINGS])
    name = f"{recipe.target} ({recipe.runtime})" if recipe.target else recipe.runtime
    return Judgment(name, errors, warnings, infos, first)


def _findings(path: Path, recipe: Recipe) -> list[Finding]:
    from modellint.config.load import CommandLine
    from modellint.lint import Request, lint

    where = {"targets": (recipe.target,)} if recipe.target else {"runtime": recipe.runtime}
    values = {**where, "cache": False}
    return lint(Request((path,), CommandLine(values, None, True))).result.active
