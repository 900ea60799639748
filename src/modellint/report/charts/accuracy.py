"""Estimates against a measured run: the expected and measured time of each layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from modellint.base.records import dataclass
from modellint.base.text import counted
from modellint.report.charts.canvas import WIDTH, Canvas
from modellint.report.charts.chart import Chart, ChartTable
from modellint.report.charts.labels import named_points
from modellint.report.charts.plot import Plot, draw_plot
from modellint.report.charts.scales import Scale, logarithmic, short
from modellint.results.inspection import Inspection

HEIGHT = 280
FEWEST = 3
MOST_NAMED = 4
MOST_DOTS = 2_000


@dataclass(frozen=True, slots=True)
class _Both:
    name: str
    expected: float
    measured: float

    @property
    def ratio(self) -> float:
        """Return by how much the estimate is wrong, whatever the direction."""
        return max(self.expected / self.measured, self.measured / self.expected)


def accuracy(inspection: Inspection, width: int = WIDTH) -> Chart | None:
    layers = _both(inspection)
    if len(layers) < FEWEST:
        return None
    wrong = median(each.ratio for each in layers)
    expected, measured = (
        sum(getattr(each, side) for each in layers) for side in ("expected", "measured")
    )
    says = (
        f"{counted(len(layers), 'layer')}: {short(expected, 'seconds')} expected, "
        f"{short(measured, 'seconds')} measured; half of the estimates are within a factor of "
        f"{f'{wrong:.2g}' if wrong < 100 else f'{wrong:,.0f}'}."
    )
    canvas = Canvas("accuracy", "Accuracy of the estimate", says, width)
    times = [time for each in layers for time in (each.expected, each.measured)]

    def scale(start: float, end: float) -> Scale:
        return logarithmic(min(times), max(times), start, end, "seconds")

    plot = draw_plot(canvas, scale, scale, HEIGHT, ("measured time", "expected time"))
    _draw(canvas, plot, layers)
    rows = [
        (
            each.name,
            short(each.expected, "seconds"),
            short(each.measured, "seconds"),
            f"{each.expected / each.measured:.2f}",
        )
        for each in sorted(layers, key=lambda each: -each.measured)[:40]
    ]
    head = ("layer", "expected", "measured", "expected / measured")
    return canvas.chart(plot.lowest, ChartTable(head, rows))


def _both(inspection: Inspection) -> list[_Both]:
    """Return the layers of a run that estimates are known for; theirs add up where it fused."""
    expected: Mapping[str, float] = {
        each.name: each.expected for each in inspection.every_layer or () if each.expected
    }
    found = []
    for layer in inspection.measured or ():
        time = sum(expected.get(name, 0.0) for name in layer.nodes)
        if time > 0 and layer.seconds > 0:
            found.append(_Both(layer.name, time, layer.seconds))
    return found


def _draw(canvas: Canvas, plot: Plot, layers: Sequence[_Both]) -> None:
    low, high = plot.x.low, plot.x.high
    canvas.line(plot.x(low), plot.y(low), plot.x(high), plot.y(high), "rule")
    for each in sorted(layers, key=lambda each: -each.measured)[:MOST_DOTS]:
        tip = f"{each.name}: {short(each.expected, 'seconds')}, {short(each.measured, 'seconds')}"
        canvas.circle(plot.x(each.measured), plot.y(each.expected), 5, "f1 dot", tip)
    wrong = sorted(layers, key=lambda each: -abs(each.expected - each.measured))[:MOST_NAMED]
    named_points(canvas, plot, [(plot.x(e.measured), plot.y(e.expected), e.name) for e in wrong])
