"""Page of `modellint quantize`: what became smaller, what it cost, and what was left in float."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TextIO

from modellint.base.text import counted
from modellint.base.units import format_bytes
from modellint.report.options import Options
from modellint.report.page import Page
from modellint.report.table import Row, figures, names, prose
from modellint.report.text import FAIR, GOOD, POOR, Text
from modellint.results.quantized import Failed, OutputLoss, Quantized, QuantizedModel

MOST_LAYERS = 8
MOST_OUTPUTS = 6
COLUMNS = (
    names("recipe"),
    figures("size"),
    figures("smaller"),
    figures("layers"),
    figures("SQNR"),
    figures("cosine", drop=2),
    figures("top 1"),
    figures("findings", drop=1),
)


def write(result: QuantizedModel, stream: TextIO, options: Options) -> None:
    """Write a table of several recipes, then a page for each."""
    page = Page(stream, options)
    page.heading(page.words(result.model))
    done = [each for each in result.results if isinstance(each, Quantized)]
    if len(result.results) > 1:
        page.table(COLUMNS, [_row(each) for each in result.results])
        page.blank()
    for each in result.results:
        if isinstance(each, Failed):
            page.field(each.recipe, Text(each.reason, POOR))
    for each in done:
        _write_one(page, each, options.verbose, alone=len(done) == 1)


def _write_one(page: Page, done: Quantized, verbose: bool, *, alone: bool) -> None:
    page.field("Recipe", f"{done.recipe}: {done.summary}")
    page.field("Written", f"{page.words(done.path)}, {_sizes(done)}")
    page.field("Layers", f"{done.quantized} of {done.layers} quantized by {done.runtime}")
    page.field("Calibration", _calibration(done))
    page.field("Compared", f"on {_inputs(done.evaluated, done)}, without graph optimizations")
    for label, text in _losses(done, verbose):
        page.field(label, text)
    if done.limit:
        verdict = Text("holds", GOOD) if done.holds else Text("does not hold", POOR)
        page.field("Limit", Text.of(f"{done.limit}: ", verdict))
    if done.kept:
        tried = f" ({counted(done.trials, 'trial')})" if done.limit else ""
        page.field("In float", f"{counted(len(done.kept), 'layer')} for accuracy{tried}")
    if alone or verbose:
        _write_noises(page, done, verbose)
    if done.judgment is not None:
        judged = done.judgment
        page.field("Linted", f"for {judged.deployment}: {_findings(done)}")
        for line in judged.first:
            page.field(" ", page.words(line))
    for note in done.notes:
        page.field("Note", note)
    page.blank()


def _calibration(done: Quantized) -> Text | str:
    if not done.calibrated:
        return ""
    inputs = _inputs(done.calibrated, done)
    return Text(f"{inputs}: the scales mean nothing", POOR) if done.is_random else inputs


def _inputs(number: int, done: Quantized) -> str:
    if done.is_random:
        return counted(number, "random input")
    return f"{counted(number, 'input')} from {done.data}"


def _losses(done: Quantized, verbose: bool) -> Iterator[tuple[str, Text]]:
    label = "Outputs"
    shown = done.outputs if verbose else done.outputs[:MOST_OUTPUTS]
    for loss in shown:
        top1 = f", top 1 the same in {100 * loss.top1:.4g}%" if loss.top1 is not None else ""
        numbers = f"{_db(loss.sqnr)}, cosine {_cosine(loss.cosine)}{top1}"
        odd = "" if loss.same_nonfinite else "; NaN or infinities where there were none"
        yield label, Text.of(f"{loss.name}: ", Text(numbers, _style(loss)), odd)
        label = ""
    if len(shown) < len(done.outputs):
        yield label, Text(f"and {len(done.outputs) - len(shown)} more (--verbose)")


def _write_noises(page: Page, done: Quantized, verbose: bool) -> None:
    noises = [each for each in done.noises if each.added > 0]
    shown = noises if verbose else noises[:MOST_LAYERS]
    if not shown:
        return
    rows: list[Row] = [
        [
            page.words(each.name),
            each.op_type,
            _db(each.sqnr),
            f"{100 * each.added:.3g}%",
            "in float" if each.kept else "",
        ]
        for each in shown
    ]
    columns = (
        names("layers that add most noise"),
        names("operator", drop=1),
        figures("SQNR"),
        figures("added"),
        prose("", least=8),
    )
    page.table(columns, rows)


def _row(each: Quantized | Failed) -> Sequence[Text | str]:
    if isinstance(each, Failed):
        return [each.recipe, "-", "-", Text("failed", POOR)]
    worst = min(each.outputs, key=lambda loss: loss.sqnr, default=None)
    top1 = min((loss.top1 for loss in each.outputs if loss.top1 is not None), default=None)
    return [
        each.recipe,
        format_bytes(each.new_bytes),
        f"{each.old_bytes / max(each.new_bytes, 1):.2f}x",
        f"{each.quantized}/{each.layers}",
        Text(_db(worst.sqnr), _style(worst)) if worst is not None else "-",
        _cosine(worst.cosine) if worst is not None else "-",
        f"{100 * top1:.4g}%" if top1 is not None else "-",
        _findings(each) if each.judgment is not None else "-",
    ]


def _findings(done: Quantized) -> str:
    judged = done.judgment
    if judged is None:
        return ""
    parts = [
        counted(number, noun)
        for number, noun in ((judged.errors, "error"), (judged.warnings, "warning"))
        if number
    ]
    return ", ".join(parts) or "clean"


def _sizes(done: Quantized) -> str:
    ratio = done.old_bytes / max(done.new_bytes, 1)
    return (
        f"{format_bytes(done.new_bytes)} instead of {format_bytes(done.old_bytes)} "
        f"({ratio:.2f} times smaller)"
    )


def _db(value: float) -> str:
    if math.isinf(value):
        return "equal" if value > 0 else "no signal"
    return f"{value:.1f} dB"


def _cosine(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".") if value < 1 else "1"


def _style(loss: OutputLoss) -> str:
    if loss.sqnr >= 30 and loss.same_nonfinite:
        return GOOD
    return FAIR if loss.sqnr >= 15 and loss.same_nonfinite else POOR
