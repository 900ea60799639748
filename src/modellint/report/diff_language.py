"""Rows about language models, evaluations and budgets on the page of `modellint diff`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from modellint.base.text import growth, quantity, timing
from modellint.base.units import format_bytes
from modellint.report.diff_words import dims_text
from modellint.report.table import Column, Row, figures, names, prose
from modellint.report.text import FAIR, GOOD, POOR, Text
from modellint.results.difference import (
    BudgetCheck,
    LanguageDifference,
    MetricChange,
    PartDifference,
    TensorDifference,
    TradeOffs,
    VariantFigures,
)

Words = Callable[[str], str]

STATEMENTS = (names(), names("old"), names("new"))
PARTS = (
    names(),
    figures("parameters", drop=1),
    figures("old"),
    figures("new"),
    figures("change", drop=2),
    figures("bits each"),
    names("types", drop=3),
)
TENSORS = (
    names(),
    names("tensors", least=32),
    figures("count"),
    names("type", drop=2),
    figures("off by"),
    prose(drop=1),
)
METRICS = (names(), figures("old"), figures("new"), figures("change"), prose())
BUDGETS = (names(), names("device"), figures("old"), figures("new"), figures("limit"), names())

MARKS = {"added": "+", "removed": "-", "same": "="}


def statement_rows(language: LanguageDifference, words: Words) -> list[Row]:
    rows: list[Row] = [
        [each.name, words(each.old), words(each.new)] for each in language.statements
    ]
    old, new = language.cache_per_token
    if old is not None and new is not None and old != new:
        rows.append(["cache per token", format_bytes(old), format_bytes(new)])
    return rows


def part_rows(language: LanguageDifference, arrow: str) -> list[Row]:
    return [_part_row(part, arrow) for part in language.parts]


def _part_row(part: PartDifference, arrow: str) -> Row:
    old, new = part.bytes
    counts = dict.fromkeys(quantity(count) for count in part.parameters)
    bits = dict.fromkeys(f"{each:.3g}" for each in part.bits if each is not None)
    types = dict.fromkeys("+".join(each[:2]) for each in part.types)
    return [
        part.name,
        f" {arrow} ".join(counts),
        format_bytes(old),
        format_bytes(new),
        growth(old, new) if new != old else "",
        f" {arrow} ".join(bits),
        f" {arrow} ".join(types),
    ]


def tensor_rows(tensors: Sequence[TensorDifference], words: Words, arrow: str) -> Iterator[Row]:
    """Iterate over rows for all tensors but those that are the same."""
    for each in tensors:
        if each.change != "same":
            mark = MARKS.get(each.change, "~")
            style = {"+": GOOD, "-": POOR}.get(mark, FAIR)
            types = dict.fromkeys(kind for kind in each.types if kind is not None)
            said = words(", ".join(_tensor_facts(each, arrow)))
            name = words(each.tensors)
            off = percent(each.largest) if each.largest is not None else ""
            kinds = f" {arrow} ".join(types)
            yield [Text(mark, style), name, f"{each.count:,}", kinds, off, said]


def _tensor_facts(each: TensorDifference, arrow: str) -> Iterator[str]:
    old, new = each.shapes
    if each.change == "resized" and old is not None and new is not None:
        yield f"{dims_text(old)} {arrow} {dims_text(new)}"
    if each.change == "unread":
        yield "numbers not compared"
    if each.where:
        yield f"most in {each.where}"
    if each.form:
        yield f"stored {each.form}"


def percent(share: float) -> str:
    """Format a difference with three digits: ``8.7%``, ``0.021%``."""
    return f"{share * 100:.3g}%" if share < 10 else f"{share:,.0f} times"


def metric_rows(metrics: Sequence[MetricChange], words: Words) -> list[Row]:
    return [_metric_row(each, words) for each in metrics]


def _metric_row(metric: MetricChange, words: Words) -> Row:
    if metric.old is None or metric.new is None:
        shown = [f"{v:.6g}" if v is not None else "" for v in (metric.old, metric.new)]
        return [words(metric.name), *shown, "", ""]
    change = metric.new - metric.old
    style, said = "", ""
    if change and metric.better is not None:
        is_better = (change > 0) == (metric.better == "higher")
        style, said = (GOOD, "better") if is_better else (POOR, "worse")
        if metric.error is not None and abs(change) < 2 * metric.error:
            style, said = "", "within 2 std. errors"
    shown = [f"{metric.old:.6g}", f"{metric.new:.6g}", f"{change:+.3g}"]
    return [words(metric.name), *shown, Text(said, style)]


def budget_rows(budgets: Sequence[BudgetCheck]) -> list[Row]:
    return [_budget_row(each) for each in budgets]


def _budget_row(check: BudgetCheck) -> Row:
    verdict = Text("exceeded", POOR) if check.exceeded else Text("within", GOOD)
    if check.most is None:
        verdict = Text("not known", FAIR)
    shown = [budget_figure(check, value) for value in (check.old, check.new)]
    return [check.name, check.target or "", *shown, check.limit, verdict]


def budget_figure(check: BudgetCheck, value: float | None) -> str:
    if value is None:
        return "unknown"
    if check.unit == "bytes":
        return format_bytes(value)
    if check.unit == "seconds":
        return timing(value)
    return f"{value:,.6g}"


# Trade-offs between variants


def trade_off_columns(found: TradeOffs) -> list[Column]:
    return [
        names("variant", least=24),
        figures(found.metric or ""),
        figures("file"),
        figures("memory", drop=1),
        figures("at least"),
        figures("per million runs"),
        names(),
    ]


def trade_off_rows(found: TradeOffs, words: Words) -> list[Row]:
    return [_variant_row(each, found.currency, words) for each in found.variants]


def _variant_row(each: VariantFigures, currency: str | None, words: Words) -> Row:
    return [
        words(each.name),
        f"{each.metric:.6g}" if each.metric is not None else "",
        format_bytes(each.bytes) if each.bytes is not None else "",
        format_bytes(each.memory) if each.memory is not None else "",
        timing(each.seconds) if each.seconds is not None else "",
        f"{each.cost:.3g} {currency}" if each.cost is not None else "",
        Text("optimal", GOOD) if each.is_optimal else "",
    ]


def trade_off_facts(found: TradeOffs) -> Iterator[str]:
    optimal = [each.name for each in found.variants if each.is_optimal]
    axes = [
        name
        for name, is_known in (
            (found.metric, found.metric is not None),
            ("file", any(each.bytes is not None for each in found.variants)),
            ("memory", any(each.memory is not None for each in found.variants)),
            ("time", any(each.seconds is not None for each in found.variants)),
        )
        if is_known and name
    ]
    if optimal:
        yield f"Pareto-optimal in {', '.join(axes)}: {', '.join(optimal)}"
    if found.price:
        yield f"price: {found.price}"
