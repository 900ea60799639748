"""`modellint inspect`: a model's contents, and its memory and compute needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, get_args

import click

from modellint.base.errors import UsageError
from modellint.base.standins import all_fetched
from modellint.cli.command import option
from modellint.cli.configuration import configurable
from modellint.cli.console import note
from modellint.cli.given import counts, several_of
from modellint.cli.inspect_papers import (
    CARDS,
    card_kind,
    card_text,
    checked,
    default_outputs,
    paper_options,
    picture,
    write_pictures,
)
from modellint.cli.looks import wants_looks
from modellint.cli.options import given_settings, setting, settings_in
from modellint.cli.outputs import (
    HTML,
    JSON,
    MARKDOWN,
    PNG,
    SVG,
    TEXT,
    Output,
    color_option,
    files_of,
    force_option,
    output_option,
    parse_outputs,
    require_replaceable,
    write_page,
)
from modellint.cli.places import Place, PlaceType, found_in, note_fetched
from modellint.cli.summaries import SummaryCommand, paragraphs, summary_options
from modellint.config.load import CommandLine, Config, Configs
from modellint.config.settings import DEPLOYMENT, LANGUAGE, OUTPUT, Budgets
from modellint.targets.target import Precision

if TYPE_CHECKING:
    from modellint.cli.looks import Look
    from modellint.discovery import Discovery
    from modellint.inspector import Asked
    from modellint.inspector.sweep import Sweep
    from modellint.report.options import Options
    from modellint.results.inspection import Inspection, Together
    from modellint.results.measured import MeasuredRun

SHOWN = "Contents"
UNREADABLE, INTERNAL_ERROR = 1, 3

FORMATS = (TEXT, JSON, HTML, MARKDOWN, "csv", "jsonl", "parquet", SVG)
TABLES = frozenset({"csv", "jsonl", "parquet"})
ABOUT_LAYERS = TABLES | {SVG, PNG, HTML, MARKDOWN}
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
  modellint inspect model.onnx -t a10 -o markdown:card.md   a model card with its charts
  modellint inspect model.onnx -t a10 --summary    one paragraph
  modellint inspect model.onnx --runtime webnn --graph model.js   for a browser

Exit codes:
  0  success    1  a file could not be read, or has no graph    2  usage or configuration error
"""


@click.command(cls=SummaryCommand, epilog=EPILOG)
@click.argument(
    "models",
    nargs=-1,
    required=True,
    type=PlaceType(),
    metavar="MODEL|URL...",
)
@settings_in(DEPLOYMENT, but=("precision", "batch"))
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
    help="Add the unit that runs each part, and the reason.",
)
@option(
    "--profile",
    "profiles",
    group=SHOWN,
    is_flag=True,
    help="Add optimization profiles in the runtimes' syntax.",
)
@option(
    "--weight-figures",
    group=SHOWN,
    is_flag=True,
    help="Add range and spread of each weight, from a sample of its values.",
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
    "--graph",
    group=SHOWN,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the WebNN graph: FILE.json lists it, FILE.js builds it.",
)
@option(
    "--draft",
    group=LANGUAGE,
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True),
    help="Add the acceptance rate from which this draft model pays off.",
)
@option(
    "--together",
    group=LANGUAGE,
    is_flag=True,
    help="Add the sum of all models on one device.",
)
@setting("max_fetch")
@setting("fetch_timeout")
@output_option(FORMATS, "reports")
@paper_options
@summary_options
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
def command(models: tuple[Place, ...], **given: Any) -> int:
    """Show a model's contents, and its memory and compute needs, on one page."""
    batches, precisions = given["batch"] or (), given["precision"] or ()
    given |= {"batch": next(iter(batches), None), "precision": next(iter(precisions), None)}
    given["sweep"] = _sweep(batches, precisions, given["require"])
    configs = Configs(CommandLine(given_settings(given), given["config"], given["isolated"]))
    with found_in(models, configs) as found:
        return _inspect(found, given)


def _inspect(found: Discovery, given: dict[str, Any]) -> int:
    from modellint.report.options import Options

    if not found.files:
        raise UsageError("no model files found")
    options = Options(verbose=given["verbose"], color=given["color"])
    texts = [*given["reports"], *([JSON] if given["as_json"] else [])]
    outputs = parse_outputs(texts or default_outputs(given), FORMATS)
    card = card_kind(given, outputs)
    given["every_layer"] = any(output.format in ABOUT_LAYERS for output in outputs)
    files = files_of(outputs)
    if not given["force"]:
        require_replaceable(files, [file.path for file in found.files])
    looks = list(_looks(found.files, given, drawn=wants_looks(outputs)))
    inspections = [inspection for inspection, _ in looks]
    total = _together(found.files, inspections) if given["together"] else None
    result = None
    if card is not None:
        result = checked([file.path for file in found.files], given, given_settings(given))
    for output in outputs:
        if card is not None and result is not None and output.format == CARDS[card]:
            pictures = (
                write_pictures(output.file, inspections, given["charts"], force=given["force"])
                if output.format == MARKDOWN
                else {}
            )
            said = _summaries(inspections, given).strip() if given["summary"] == "llm" else ""
            text = card_text(card, inspections, result, pictures, said)
            output.write(partial(_draw_text, text), options)
        elif given["summary"] and output.format == TEXT:
            output.write(partial(_draw_text, _summaries(inspections, given)), options)
        else:
            output.write(partial(_draw, looks, total, given["charts"]), options)
    for text in dict.fromkeys((*found.notes, *_without_rows(outputs, inspections))):
        note(text)
    if given["verbose"]:
        note_fetched(all_fetched())
    codes = [_exit_code(inspection) for inspection in inspections]
    if given["graph"] is not None:
        from modellint.cli.webnn_graph import write_graph

        codes.append(write_graph(found.files, given["graph"], force=given["force"]))
    return max(codes, default=0)


def _looks(files: Sequence[Any], given: dict[str, Any], *, drawn: bool) -> Iterator[Look]:
    """Iterate over inspections, each with the graph if it is to be drawn."""
    from modellint.inspector import inspect_and_draw, inspect_model
    from modellint.planning.deployments import deployments_for

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
        profiles=given["profiles"],
        every_layer=given["every_layer"],
        weight_figures=given["weight_figures"],
        layers=given["layers"],
        draft=given["draft"],
    )
    sweep: Sweep = given["sweep"]
    if sweep.is_asked and asking.deployments[0].target is None:
        raise UsageError("tables of times need a target (example: -t nvidia)")
    return replace(asking, sweep=sweep, run=_run(given["runs"]))


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
    from modellint.planning.budgets import budget_limits
    from modellint.planning.deployments import deployments
    from modellint.rules.registry import load_rules

    config: Config = files[0].config
    placed = [each.target for each in deployments(config, load_rules(examples=False))]
    if len(placed) != 1 or placed[0] is None:
        raise UsageError("--together needs exactly one target (example: -t a10)")
    limits = budget_limits(config.settings.budgets or Budgets(), config, ("budgets",))
    budget = limits.get("max-vram")
    return together(inspections, placed[0], int(budget) if budget is not None else None)


def _without_rows(outputs: Sequence[Output], inspections: Sequence[Inspection]) -> Iterator[str]:
    """Iterate over models that a table of layers has no rows for."""
    if any(output.format in TABLES for output in outputs):
        for inspection in inspections:
            if inspection.is_readable and not inspection.every_layer:
                yield f"{inspection.path}: no rows, since it has no graph"


def _draw_text(text: str, name: str, stream: TextIO, options: Options) -> None:
    click.echo(text, file=stream, nl=False)


def _summaries(inspections: Sequence[Inspection], given: dict[str, Any]) -> str:
    said = paragraphs(
        inspections, given["summary"], hashed=given["hash_names"], verbose=given["verbose"]
    )
    return "".join(f"{each}\n" for each in said)


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
        click.echo(picture(inspections, charts), file=stream, nl=False)
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


def _exit_code(inspection: Inspection) -> int:
    if any(problem.kind == "internal" for problem in inspection.problems):
        return INTERNAL_ERROR
    return 0 if inspection.is_readable else UNREADABLE
