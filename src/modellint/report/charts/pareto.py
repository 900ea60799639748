"""Variants of a model: accuracy next to time, memory or size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from modellint.base.records import dataclass
from modellint.report.charts.canvas import WIDTH, Canvas
from modellint.report.charts.chart import Chart, ChartTable
from modellint.report.charts.labels import named_points
from modellint.report.charts.plot import Plot, draw_plot
from modellint.report.charts.scales import Scale, Unit, linear, short
from modellint.results.difference import TradeOffs, VariantFigures

HEIGHT = 280
ROOM = 0.12
"""Room above and below the metrics, as a share of their range."""


@dataclass(frozen=True, slots=True)
class _Figure:
    title: str
    unit: Unit
    of: Callable[[VariantFigures], float | None]


FIGURES = (
    _Figure("seconds of a run, at least", "seconds", lambda each: each.seconds),
    _Figure("bytes of memory, expected", "bytes", lambda each: each.memory),
    _Figure("bytes of its files", "bytes", lambda each: each.bytes),
)


def pareto(trade_offs: TradeOffs, width: int = WIDTH) -> Chart | None:
    """Draw the metric by the first figure that all variants have."""
    variants = [each for each in trade_offs.variants if each.metric is not None]
    figure = next((f for f in FIGURES if all(f.of(each) is not None for each in variants)), None)
    if len(variants) < 2 or figure is None or trade_offs.metric is None:
        return None
    best = [each.name for each in variants if each.is_optimal]
    on = f" on {trade_offs.target}" if trade_offs.target else ""
    says = f"{', '.join(best)}: no other variant is as good in everything{on}."
    canvas = Canvas("variants", "Variants", says, width)
    canvas.legend([("not beaten", 5), ("beaten by another", 10)])
    x_of = {each.name: figure.of(each) or 0 for each in variants}
    metrics = [each.metric or 0 for each in variants]
    plot = draw_plot(
        canvas,
        lambda start, end: linear(max(x_of.values()) * 1.05, start, end, figure.unit),
        lambda start, end: _metric_scale(metrics, start, end),
        HEIGHT,
        (figure.title, f"{trade_offs.metric}, {trade_offs.better} is better"),
    )
    _draw_front(canvas, plot, trade_offs, variants, x_of)
    _draw_variants(canvas, plot, variants, x_of)
    rows = [
        (
            each.name,
            f"{each.metric:g}" if each.metric is not None else "",
            short(x_of[each.name], figure.unit),
            "no" if each.is_optimal else "yes",
        )
        for each in variants
    ]
    head = ("variant", trade_offs.metric, figure.title, "beaten")
    return canvas.chart(plot.lowest, ChartTable(head, rows))


def _metric_scale(values: Sequence[float], start: float, end: float) -> Scale:
    low, high = min(values), max(values)
    room = (high - low or abs(high) or 1.0) * ROOM
    ticks = linear(high - low + 2 * room, start, end, ticks=4).ticks
    step = ticks[1][0] if len(ticks) > 1 else 1.0
    first = (low - room) // step * step
    count = int((high + room - first) / step) + 1
    marks = [(first + at * step, f"{first + at * step:.6g}") for at in range(count + 1)]
    return Scale(first, marks[-1][0], start, end, marks)


def _draw_front(
    canvas: Canvas,
    plot: Plot,
    trade_offs: TradeOffs,
    variants: Sequence[VariantFigures],
    x_of: dict[str, float],
) -> None:
    """Join the variants that are best for their time, starting with the fastest."""
    sign = -1 if trade_offs.better == "lower" else 1
    front: list[tuple[float, float]] = []
    best = float("-inf")
    for each in sorted(variants, key=lambda each: (x_of[each.name], -sign * (each.metric or 0))):
        value = sign * (each.metric or 0)
        if value > best:
            best = value
            x, y = plot.x(x_of[each.name]), plot.y(each.metric or 0)
            front += [(x, front[-1][1]), (x, y)] if front else [(x, y)]
    canvas.polyline(front, "s5 thin")


def _draw_variants(
    canvas: Canvas, plot: Plot, variants: Sequence[VariantFigures], x_of: dict[str, float]
) -> None:
    named = []
    for each in sorted(variants, key=lambda each: not each.is_optimal):
        x, y = plot.x(x_of[each.name]), plot.y(each.metric or 0)
        canvas.circle(x, y, 6, f"f{5 if each.is_optimal else 10} dot", each.name)
        named.append((x, y, each.name))
    named_points(canvas, plot, named)
