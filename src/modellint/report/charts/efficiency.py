"""Layers of a measured run: how near each comes to what the device could do at best."""

from __future__ import annotations

from collections.abc import Sequence

from modellint.base.text import counted
from modellint.report.charts.canvas import WIDTH, Canvas
from modellint.report.charts.chart import Chart, ChartTable
from modellint.report.charts.labels import named_points
from modellint.report.charts.plot import Plot, draw_plot
from modellint.report.charts.scales import Scale, fine_logarithmic, linear, short
from modellint.results.inspection import Inspection, MeasuredLayer

HEIGHT = 260
FEWEST = 3
MOST_NAMED = 5
MOST_DOTS = 2_000
COMPUTE, MEMORY = 1, 2
"""Colors."""


def efficiency(inspection: Inspection, width: int = WIDTH) -> Chart | None:
    layers = [each for each in inspection.measured or () if each.efficiency and each.seconds > 0]
    if len(layers) < FEWEST:
        return None
    total = sum(each.seconds for each in layers)
    reached = sum(each.seconds * min(each.efficiency or 0, 1.0) for each in layers) / total
    outliers = sorted(layers, key=_lost, reverse=True)[:MOST_NAMED]
    lost = sum(map(_lost, outliers)) / total
    says = (
        f"{counted(len(layers), 'layer')} reach {short(reached, 'share')} of the device's peaks on "
        f"average; {counted(len(outliers), 'layer')} lose {short(lost, 'share')} of the time."
    )
    canvas = Canvas("efficiency", "Efficiency of measured layers", says, width)
    canvas.legend([("waits for arithmetic", COMPUTE), ("waits for memory", MEMORY)])
    times = [each.seconds for each in layers]
    best = max(min(each.efficiency or 0, 1.0) for each in layers)

    def across(start: float, end: float) -> Scale:
        return fine_logarithmic(min(times), max(times), start, end, "seconds")

    plot = draw_plot(
        canvas,
        across,
        lambda start, end: linear(best, start, end, "share"),
        HEIGHT,
        ("time of the layer", "least time at the peaks, as a share of it"),
    )
    _draw(canvas, plot, layers, outliers)
    rows = [
        (
            each.name,
            each.op or "",
            short(each.seconds, "seconds"),
            short(min(each.efficiency or 0, 1.0), "share"),
            each.bound or "",
        )
        for each in sorted(layers, key=_lost, reverse=True)[:40]
    ]
    head = ("layer", "operator", "time", "efficiency", "waits for")
    return canvas.chart(plot.lowest, ChartTable(head, rows))


def _lost(layer: MeasuredLayer) -> float:
    """Return the seconds that a layer takes beyond its least time."""
    return layer.seconds * (1 - min(layer.efficiency or 0, 1.0))


def _draw(
    canvas: Canvas,
    plot: Plot,
    layers: Sequence[MeasuredLayer],
    outliers: Sequence[MeasuredLayer],
) -> None:
    def place(each: MeasuredLayer) -> tuple[float, float]:
        return plot.x(each.seconds), plot.y(min(each.efficiency or 0, 1.0))

    for each in sorted(layers, key=lambda each: -each.seconds)[:MOST_DOTS]:
        color = COMPUTE if each.bound == "compute" else MEMORY
        tip = f"{each.name}: {short(each.seconds, 'seconds')}"
        canvas.circle(*place(each), 5, f"f{color} dot", tip)
    named_points(canvas, plot, [(*place(each), each.name) for each in outliers])
