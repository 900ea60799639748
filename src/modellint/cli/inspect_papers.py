"""Pictures and cards of `modellint inspect`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modellint.base.errors import UsageError
from modellint.base.files import write_atomically
from modellint.cli.command import option
from modellint.cli.given import comma_lists
from modellint.cli.outputs import JSON, MARKDOWN, PNG, SVG, Output, require_replaceable
from modellint.config.settings import OUTPUT

if TYPE_CHECKING:
    from modellint.report.charts import Chart
    from modellint.results.finding import Result
    from modellint.results.inspection import Inspection

CARDS = {"plain": MARKDOWN, "huggingface": MARKDOWN, "mct": JSON}
"""Kinds of cards, and the format of each."""
NEEDS = {
    "roofline": "it needs a target whose rates are known (example: -t a10)",
    "time": "it needs a target whose rates are known (example: -t a10)",
    "critical": "it needs a target whose rates are known, and a graph with branches",
    "efficiency": "it needs a measured run and its device (example: --run run.json -t a10)",
    "accuracy": "it needs a measured run and its device (example: --run run.json -t a10)",
    "batches": "it needs one target, and an open batch",
    "sweep": "it needs several batches or precisions (example: --batch 1,8,32)",
    "devices": "it needs several targets (example: -t nvidia)",
    "placement": "it needs --placement and a runtime of several units",
    "contexts": "it needs a language model",
    "precisions": "all layers have the same precision",
}


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


def paper_options(command: Any) -> Any:
    """Add the options about pictures and cards."""
    chart = option(
        "--chart",
        "charts",
        group=OUTPUT,
        multiple=True,
        metavar="NAME",
        callback=_chart_names,
        help="Draw this chart with svg, png or markdown, not all; repeatable.",
    )
    card = option(
        "--card",
        group=OUTPUT,
        type=click.Choice(list(CARDS)),
        help="Write a model card: plain, Hugging Face's README, or Model Card Toolkit's JSON.",
    )
    return chart(card(command))


def card_kind(given: Mapping[str, Any], outputs: Sequence[Output]) -> str | None:
    """Return the kind of card to write, if any; raise if options do not fit together."""
    formats = {output.format for output in outputs}
    if given["charts"] and not formats & {SVG, PNG, MARKDOWN}:
        raise UsageError("--chart needs -o svg:FILE, -o png:FILE or -o markdown:FILE")
    kind: str | None = given["card"]
    if kind is not None and CARDS[kind] not in formats:
        raise UsageError(f"--card {kind} needs -o {CARDS[kind]}:FILE")
    return kind or ("plain" if MARKDOWN in formats else None)


def default_outputs(given: Mapping[str, Any]) -> list[str]:
    """Return the format of a card that is asked for without one."""
    return [CARDS[given["card"]]] if given["card"] is not None else []


def checked(files: Sequence[Path], given: Mapping[str, Any], values: Mapping[str, Any]) -> Result:
    """Lint models, for what their cards say of risks."""
    from modellint.config.load import CommandLine
    from modellint.lint import Request, lint

    line = CommandLine(values, given["config"], given["isolated"])
    return lint(Request(files, line, exit_zero=True)).result


def card_text(
    kind: str,
    inspections: Sequence[Inspection],
    result: Result,
    pictures: Mapping[str, str],
    overview: str = "",
) -> str:
    """Return a card; without an overview, it begins with the one by template."""
    from modellint.report.cards import Card, huggingface_card, plain_card, toolkit_card
    from modellint.report.strict import dumps

    card = Card(_only(inspections, "a card is of"), result, pictures, overview)
    if kind == "mct":
        return dumps(toolkit_card(card), 2) + "\n"
    return huggingface_card(card) if kind == "huggingface" else plain_card(card)


def write_pictures(
    file: Path | None, inspections: Sequence[Inspection], names: Sequence[str], *, force: bool
) -> dict[str, str]:
    """Write charts next to a card; return their names by title."""
    if file is None:
        return {}
    inspection = _only(inspections, "a card is of")
    written = {}
    for chart in _drawn(inspection, names):
        picture = file.with_name(f"{file.stem}-{chart.name}.svg")
        if not force:
            require_replaceable([picture], [])
        try:
            write_atomically(picture, chart.standalone())
        except OSError as error:
            raise UsageError(f"cannot write {picture}: {error.strerror}") from error
        written[chart.title] = picture.name
    return written


def picture(inspections: Sequence[Inspection], names: Sequence[str]) -> str:
    """Return the named charts of a model, or all that there are data for."""
    from modellint.report.charts import sheet

    inspection = _only(inspections, "a picture shows")
    drawn = _drawn(inspection, names)
    if not drawn:
        raise UsageError(f"{inspection.path}: there is no data for any chart")
    return sheet(drawn)


def _drawn(inspection: Inspection, names: Sequence[str]) -> list[Chart]:
    from modellint.report.charts import CHARTS, WIDTH

    drawn = {name: CHARTS[name](inspection, WIDTH) for name in names or CHARTS}
    missing = next((name for name, chart in drawn.items() if chart is None), None)
    if names and missing is not None:
        why = NEEDS.get(missing, "it needs a graph whose shapes are known")
        raise UsageError(f"there is no data for the chart {missing!r}; {why}")
    return [chart for chart in drawn.values() if chart is not None]


def _only(inspections: Sequence[Inspection], what: str) -> Inspection:
    if len(inspections) != 1:
        raise UsageError(f"{what} one model, not {len(inspections)}")
    return inspections[0]
