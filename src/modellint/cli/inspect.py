"""`modellint inspect`: a model's contents, and its memory and compute needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, get_args

import click

from modellint.base.errors import UsageError
from modellint.cli.command import Command, option
from modellint.cli.configuration import configurable
from modellint.cli.console import note
from modellint.cli.given import comma_lists, counts, several_of
from modellint.cli.looks import wants_looks
from modellint.cli.options import given_settings, setting, settings_in
from modellint.cli.outputs import (
    HTML,
    JSON,
    PNG,
    SVG,
    TEXT,
    color_option,
    files_of,
    force_option,
    output_option,
    parse_outputs,
    require_replaceable,
    write_page,
)
from modellint.config.load import CommandLine, Config, Configs
from modellint.config.settings import DEPLOYMENT, LANGUAGE, OUTPUT, Budgets
from modellint.targets.target import Precision

if TYPE_CHECKING:
    from modellint.cli.looks import Look
    from modellint.inspection import Inspection, Together
    from modellint.inspector import Asked
    from modellint.inspector.sweep import Sweep
    from modellint.measured import MeasuredRun
    from modellint.report.options import Options

SHOWN = "Contents"
UNREADABLE, INTERNAL_ERROR = 1, 3

FORMATS = (TEXT, JSON, HTML, "csv", "jsonl", "parquet", SVG)
ABOUT_LAYERS = frozenset({"csv", "jsonl", "parquet", SVG, PNG, HTML})
"""Formats that show every layer."""

EPILOG = """Examples:
  modellint inspect model.onnx                     contents
  modellint inspect model.onnx -t a10 --batch 8    memory fit and expected time
  modellint inspect model.onnx -t a10,l4 --batch 1,8,64 --precision fp16,int8   a table of times
  modellint inspect model.onnx -t nvidia --require "latency<=5ms price<=1$/h"   what satisfies it
  modellint inspect model.onnx -t nvidia           table of devices, smallest first
  modellint inspect model.onnx --quant             precisions and quantization readiness
  modellint inspect model.onnx -t snapdragon-8-gen-3 --placement   NPU or CPU, and why
  modellint inspect model.onnx --layers out.json   how an engine implements its nodes
  modellint inspect model.onnx -o csv:layers.csv   a table of every layer
  modellint inspect model.onnx -t a10 --chart roofline -o svg:roofline.svg

Exit codes:
  0  success    1  a file could not be read    2  usage or configuration error
"""


def _chart_names(
    ctx: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...]:
    if not given:
        return ()
    from modellint.base.suggest import did_you_mean
    from modellint.report.charts import CHARTS

    names = comma_lists(ctx, parameter, given)
    for name in names:
        if name not in CHARTS:
            hint = did_you_mean(name, CHARTS, f"one of {', '.join(CHARTS)}")
            raise click.BadParameter(f"{name!r}: {hint}", ctx, parameter)
    return names


@click.command(cls=Command, epilog=EPILOG)
@click.argument(
    "models",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    metavar="MODEL...",
)
@settings_in(DEPLOYMENT, but=("dla", "precision", "batch"))
@setting(
    "precision",
    metavar="NAME[,NAME...]",
    help="Precision; several for a table of times.",
    callback=several_of(*get_args(Precision)),
)
@setting(
    "batch",
    type=str,
    metavar="N[,N...]",
    help="Batch size; several for a table of times.",
    callback=counts,
)
@option(
    "--require",
    group=DEPLOYMENT,
    metavar="LIMITS",
    help='Rank devices by "latency<=5ms throughput>=200 price<=1$/h memory<=8GB".',
)
@settings_in(LANGUAGE)
@option(
    "--quant",
    group=SHOWN,
    is_flag=True,
    help="Add quantization, or readiness for it.",
)
@option(
    "--placement",
    group=SHOWN,
    is_flag=True,
    help="Add the unit that each part runs on, and why.",
)
@option(
    "--profile",
    group=SHOWN,
    is_flag=True,
    help="Add optimization profiles in the runtimes' syntax.",
)
@option(
    "--layers",
    group=SHOWN,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Add the layers of an engine, or of an export of its layers.",
)
@option(
    "--run",
    "runs",
    group=SHOWN,
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Add the layers of a measured run: a profile, or parts of one.",
)
@option(
    "--draft",
    group=LANGUAGE,
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True),
    help="Add the acceptance at which this draft model gains time.",
)
@option(
    "--together",
    group=LANGUAGE,
    is_flag=True,
    help="Add the sum of all models on one device.",
)
@output_option(FORMATS, "reports")
@option(
    "--chart",
    "charts",
    group=OUTPUT,
    multiple=True,
    metavar="NAME",
    callback=_chart_names,
    help="Draw this chart with svg or png, not all; repeatable.",
)
@force_option
@option(
    "--json",
    "as_json",
    group=OUTPUT,
    is_flag=True,
    help="Same as --output json: one object per model.",
)
@option("--verbose", "-v", group=OUTPUT, is_flag=True, help="Show all rows.")
@color_option
@configurable
def command(models: tuple[Path, ...], **given: Any) -> int:
    """Show a model's contents, and its memory and compute needs, on one page."""
    from modellint.discovery import discover
    from modellint.report.options import Options

    batches, precisions = given["batch"] or (), given["precision"] or ()
    given |= {"batch": next(iter(batches), None), "precision": next(iter(precisions), None)}
    given["sweep"] = _sweep(batches, precisions, given["require"])
    configs = Configs(CommandLine(given_settings(given), given["config"], given["isolated"]))
    found = discover(models, configs)
    options = Options(verbose=given["verbose"], color=given["color"])
    outputs = parse_outputs([*given["reports"], *([JSON] if given["as_json"] else [])], FORMATS)
    asks = {output.format for output in outputs}
    if given["charts"] and not asks & {SVG, PNG}:
        raise UsageError("--chart needs -o svg:FILE or -o png:FILE")
    given["every_layer"] = bool(asks & ABOUT_LAYERS)
    files = files_of(outputs)
    if not given["force"]:
        require_replaceable(files, [file.path for file in found.files])
    looks = list(_looks(found.files, given, drawn=wants_looks(outputs)))
    inspections = [inspection for inspection, _ in looks]
    total = _together(found.files, inspections) if given["together"] else None
    for output in outputs:
        output.write(partial(_draw, looks, total, given["charts"]), options)
    for text in dict.fromkeys(found.notes):
        note(text)
    return max(map(_exit_code, inspections), default=0)


def _looks(files: Sequence[Any], given: dict[str, Any], *, drawn: bool) -> Iterator[Look]:
    """Iterate over inspections, each with the graph if it is to be drawn."""
    from modellint.inspector import inspect_and_draw, inspect_model
    from modellint.planning import deployments_for

    asked: dict[int, Asked] = {}
    for file in files:
        key = id(file.config)  # files of one folder share theirs
        if key not in asked:
            asked[key] = _asked(file.config, given)
        shaped = deployments_for(file.place, file.config, asked[key].deployments)
        asking = replace(asked[key], deployments=shaped)
        if drawn:
            yield inspect_and_draw(file.path, file.shown, asking)
        else:
            yield inspect_model(file.path, file.shown, asking), None


def _asked(config: Config, given: dict[str, Any]) -> Asked:
    from modellint.api.looking import asked

    asking = asked(
        config,
        quantization=given["quant"],
        placement=given["placement"],
        profile=given["profile"],
        every_layer=given["every_layer"],
        layers=given["layers"],
        draft=given["draft"],
    )
    return replace(asking, sweep=given["sweep"], run=_run(given["runs"]))


def _sweep(batches: tuple[int, ...], precisions: tuple[str, ...], require: str | None) -> Sweep:
    from modellint.inspector.sweep import Sweep, parse_requirements

    requirements = parse_requirements(require) if require is not None else ()
    return Sweep(batches, precisions, requirements)


def _run(files: Sequence[Path]) -> MeasuredRun | None:
    if not files:
        return None
    from modellint.profiles import read_run

    return read_run(files)


def _together(files: Sequence[Any], inspections: Sequence[Inspection]) -> Together:
    """Return the sum of all models on the only target."""
    from modellint.inspector import together
    from modellint.planning import budget_limits, deployments
    from modellint.rules.registry import load_rules

    if not files:
        raise UsageError("--together found no models")
    config: Config = files[0].config
    placed = [each.target for each in deployments(config, load_rules(examples=False))]
    if len(placed) != 1 or placed[0] is None:
        raise UsageError("--together needs exactly one target (example: -t a10)")
    limits = budget_limits(config.settings.budgets or Budgets(), config, ("budgets",))
    budget = limits.get("max-vram")
    return together(inspections, placed[0], int(budget) if budget is not None else None)


def _draw(
    looks: Sequence[Look],
    total: Together | None,
    charts: Sequence[str],
    name: str,
    stream: TextIO,
    options: Options,
) -> None:
    inspections = [inspection for inspection, _ in looks]
    if name == HTML:
        from modellint.report.html import inspect_page

        write_page(inspect_page(looks, total), stream)
        return
    if name == JSON:
        from modellint.report.strict import dumps

        indent = None if len(inspections) > 1 or total is not None else 2
        for inspection in inspections:
            click.echo(dumps(inspection.to_json(), indent), file=stream)
        if total is not None:
            click.echo(dumps({"together": asdict(total)}, indent), file=stream)
        return
    if name == SVG:
        click.echo(_picture(inspections, charts), file=stream, nl=False)
        return
    if name != TEXT:
        from modellint.report import layer_table

        getattr(layer_table, f"write_{name}")(inspections, stream)
        return
    from modellint.report.inspect import write, write_together

    for inspection in inspections:
        write(inspection, stream, options)
    if total is not None:
        write_together(total, stream, options)


def _picture(inspections: Sequence[Inspection], names: Sequence[str]) -> str:
    """Return the named charts of a model, or all that there are data for."""
    from modellint.report.charts import CHARTS, WIDTH, sheet

    if len(inspections) != 1:
        raise UsageError(f"a picture shows one model, not {len(inspections)}")
    drawn = {name: CHARTS[name](inspections[0], WIDTH) for name in names or CHARTS}
    there = [chart for chart in drawn.values() if chart is not None]
    if names and None in drawn.values():
        missing = next(name for name, chart in drawn.items() if chart is None)
        raise UsageError(f"there is no data for the chart {missing!r}; {_needs(missing)}")
    if not there:
        raise UsageError(f"{inspections[0].path}: there is no data for any chart")
    return sheet(there)


def _needs(chart: str) -> str:
    wanted = {
        "roofline": "it needs a target whose rates are known (example: -t a10)",
        "time": "it needs a target whose rates are known (example: -t a10)",
        "batches": "it needs one target, and an open batch",
        "devices": "it needs several targets (example: -t nvidia)",
        "placement": "it needs --placement and a runtime of several units",
        "contexts": "it needs a language model",
        "precisions": "all layers have the same precision",
    }
    return wanted.get(chart, "it needs a graph whose shapes are known")


def _exit_code(inspection: Inspection) -> int:
    if any(problem.kind == "internal" for problem in inspection.problems):
        return INTERNAL_ERROR
    return 0 if inspection.is_readable else UNREADABLE
