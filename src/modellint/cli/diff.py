"""`modellint diff`: what changed between two models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

import click

from modellint.api.comparing import DiffSource, Setups, judged
from modellint.base.standins import all_fetched
from modellint.cli.command import option
from modellint.cli.configuration import configurable
from modellint.cli.diff_running import Running, run_options
from modellint.cli.diff_sources import (
    DiffCommand,
    Sources,
    metrics_option,
    require_here,
    require_one_each,
    sources,
    versions_options,
)
from modellint.cli.looks import Drawings, wants_looks
from modellint.cli.options import given_settings, setting, settings_in
from modellint.cli.outputs import (
    HTML,
    color_option,
    files_of,
    force_option,
    output_option,
    parse_outputs,
    require_replaceable,
    write_page,
)
from modellint.cli.places import Place, PlaceType, note_fetched, reached_from
from modellint.config.load import CommandLine, Configs
from modellint.config.settings import DEPLOYMENT, DIFFERENCES, LANGUAGE, OUTPUT, RULES
from modellint.results.difference import Difference, Overview, OverviewRow
from modellint.results.finding import Severity

if TYPE_CHECKING:
    from modellint.config.settings import FailOn
    from modellint.evaluation import Evaluation
    from modellint.report.options import Options
    from modellint.results.drawing import Drawing

FORMATS: Mapping[str, str] = {
    "full": "modellint.report.diff",
    "concise": "modellint.report.diff_concise",
    "json": "modellint.report.diff_json",
    "markdown": "modellint.report.diff_markdown",
    "sarif": "modellint.report.diff_sarif",
    "svg": "modellint.report.diff_svg",
    HTML: "modellint.report.html",
}
"""Modules that write a difference, by format."""
CHANGED, INTERNAL_ERROR = 1, 3

EPILOG = """Examples:
  modellint diff old.onnx new.onnx            what changed
  modellint diff old.onnx new.onnx -t a10     with memory, time and findings for a device
  modellint diff old.onnx new.onnx -o json    for programs
  modellint diff old.onnx new.onnx -o html:diff.html   one page with the graph of both
  modellint diff old.onnx new.onnx --run      with outputs and layers, on random inputs
  modellint diff old/ new/                    two folders, renamed models included
  modellint diff s3://bucket/model.onnx model.onnx
  modellint diff --git main model.onnx        against a branch, a tag or a commit
  modellint diff --git v1..v2 models/         what changed between two of them
  modellint diff a.onnx b.onnx c.onnx --metrics a.json b.json c.json -t a10g
                                              accuracy, size, memory and time of variants

Exit codes:
  0  nothing breaking
  1  a break of the interface, a new finding at or above --fail-on, an exceeded --budget, an
     unreadable file, or outputs that lose more than --max-drop
  2  usage or configuration error    3  internal error
"""


@click.command(cls=DiffCommand, epilog=EPILOG)
@click.argument("models", nargs=-1, type=PlaceType(), metavar="OLD NEW...")
@versions_options
@settings_in(DEPLOYMENT)
@settings_in(LANGUAGE)
@settings_in(RULES)
@run_options
@metrics_option
@settings_in(DIFFERENCES)
@output_option(tuple(FORMATS), "reports")
@force_option
@option("--verbose", "-v", group=OUTPUT, is_flag=True, help="Show all changes.")
@color_option
@setting("fail_on")
@configurable
def command(models: tuple[Place, ...], **given: Any) -> int:
    """Compare models by structure: what changed, what breaks, and what that costs."""
    from modellint.differ.variants import trade_offs
    from modellint.evaluation import read_evaluation
    from modellint.report.options import Options

    outputs = parse_outputs(given["reports"], tuple(FORMATS))
    if not given["force"]:
        require_replaceable(files_of(outputs), [each for each in models if isinstance(each, Path)])
    configs = Configs(CommandLine(given_settings(given), given["config"], given["isolated"]))
    setups, running = Setups(configs), Running(given)
    evaluations = [read_evaluation(path) for path in given["metrics"]]
    require_here(models, given)
    reached = reached_from(models, configs.of(Path.cwd()))
    with reached as paths, sources(paths, given, configs) as found:
        require_one_each(evaluations, found)
        drawings = Drawings() if wants_looks(outputs) else None
        compared = list(_compared(found, setups, running, evaluations, drawings))
        if given["verbose"]:
            note_fetched(all_fetched())
    differences = [each for each in compared if not isinstance(each, OverviewRow)]
    overview = _overview(found, compared) if found.is_several or evaluations else None
    if overview is not None and differences and (evaluations or found.are_variants):
        target = setups.of(Path.cwd()).plan.deployments[0].target
        overview = replace(overview, trade_offs=trade_offs(differences, evaluations, target))
    options = Options(verbose=given["verbose"], color=given["color"])
    for output in outputs:
        output.write(partial(_draw, differences, overview, drawings or ()), options)
    places = [new.place for old, new in found.pairs if old is not None and new is not None]
    levels = [setups.of(place).config.settings.fail_on for place in places]
    codes = [
        exit_code(each, level) or int(running.fails(each))
        for each, level in zip(differences, levels, strict=True)
    ]
    return max(codes, default=0)


def _compared(
    found: Sources,
    setups: Setups,
    running: Running,
    evaluations: Sequence[Evaluation],
    drawings: Drawings | None,
) -> Iterator[Difference | OverviewRow]:
    """Iterate over differences, and rows for models that only one side has."""
    from modellint.differ.compare import compare_files
    from modellint.differ.variants import metric_changes

    for at, (old, new) in enumerate(found.pairs, 1):
        if old is not None and new is not None:
            setup = setups.of(new.place)
            files = setups.file(old), setups.file(new)
            difference, matching = compare_files(
                *files, setup.catalogue, memory=bool(setup.config.settings.diff_budgets)
            )
            difference = running.add_to(difference, matching, files[1].plan.deployments[0])
            if evaluations:
                metrics = metric_changes(evaluations[0], evaluations[at])
                difference = replace(difference, metrics=metrics)
            if drawings is not None:
                drawings.add(difference, matching, files[1].plan.deployments[0])
            yield judged(difference, setup)
        elif (alone := old or new) is not None:
            size = _size(alone)
            sizes = [size, None] if new is None else [None, size]
            status: Literal["added", "removed"] = "removed" if new is None else "added"
            yield OverviewRow(alone.name, None, status, "", sizes)


def _size(source: DiffSource) -> int | None:
    from modellint.formats import read_model

    return read_model(source.path).file_size


def _overview(found: Sources, compared: Sequence[Difference | OverviewRow]) -> Overview:
    from modellint.report.diff_words import overview_row

    rows = []
    for (old, new), each in zip(found.pairs, compared, strict=True):
        if isinstance(each, OverviewRow):
            rows.append(each)
        elif old is not None and new is not None:
            rows.append(overview_row(each, new.name if found.are_variants else old.name, new.name))
    return Overview(found.old, found.new, rows)


def exit_code(difference: Difference, fail_on: FailOn) -> int:
    """Return 1 for what breaks or fails, 3 after internal errors, else 0."""
    if any(each.kind == "internal" for each in difference.new.problems + difference.old.problems):
        return INTERNAL_ERROR
    exceeded = any(check.exceeded for check in difference.budgets)
    if not difference.is_readable or difference.breaking or exceeded:
        return CHANGED
    found = difference.findings
    fails = fail_on != "never" and any(
        Severity.parse(each.severity) >= Severity.parse(fail_on)
        for each in (found.new if found is not None else ())
    )
    return CHANGED if fails else 0


def _draw(
    differences: Sequence[Difference],
    overview: Overview | None,
    drawings: Sequence[Drawing | None],
    name: str,
    stream: TextIO,
    options: Options,
) -> None:
    if name == HTML:
        from modellint.report.html import diff_page

        write_page(diff_page(differences, overview, drawings), stream)
        return
    module = import_module(FORMATS[name])
    if overview is not None:
        module.write_several(differences, overview, stream, options)
    else:
        for difference in differences:
            module.write(difference, stream, options)
