"""Batches and precisions of a device: how long a run takes, and how much it gets done."""

from __future__ import annotations

from modellint.base.text import counted
from modellint.base.units import format_bytes
from modellint.report.charts.canvas import WIDTH, Canvas
from modellint.report.charts.chart import Chart, ChartTable
from modellint.report.charts.plot import draw_plot
from modellint.report.charts.precisions import COLORS, OTHER
from modellint.report.charts.scales import fine_logarithmic, rate, short
from modellint.results.inspection import Candidate, Inspection

HEIGHT = 260
RADIUS = 5.0


def sweep(inspection: Inspection, width: int = WIDTH) -> Chart | None:
    """Draw the candidates of the first device; those that do not fit have no time to speak of."""
    candidates = _of_first_device(inspection)
    if len(candidates) < 2:
        return None
    best = max(candidates, key=lambda each: each.per_second)
    says = (
        f"{best.target}: of {counted(len(candidates), 'combination')} that fit, {best.precision} "
        f"with batch {best.batch} gets most done, {rate(best.per_second)} items per second, and "
        f"takes {short(best.expected, 'seconds')}."
    )
    canvas = Canvas("sweep", "Batches and precisions", says, width)
    precisions = list(dict.fromkeys(each.precision for each in candidates))
    canvas.legend([(name, COLORS.get(name, OTHER)) for name in precisions])
    times = [each.expected for each in candidates]
    rates = [each.per_second for each in candidates]
    plot = draw_plot(
        canvas,
        lambda start, end: fine_logarithmic(min(times), max(times), start, end, "seconds"),
        lambda start, end: fine_logarithmic(min(rates), max(rates), start, end),
        HEIGHT,
        ("seconds of a run, expected", "items per second"),
    )
    for name in precisions:
        number = COLORS.get(name, OTHER)
        line = sorted((c for c in candidates if c.precision == name), key=lambda c: c.batch)
        points = [(plot.x(each.expected), plot.y(each.per_second)) for each in line]
        canvas.polyline(points, f"s{number} thin")
        for (x, y), each in zip(points, line, strict=True):
            tip = f"{name}, batch {each.batch}: {format_bytes(each.memory)}, {each.verdict}"
            canvas.circle(x, y, RADIUS, f"f{number} dot", tip)
    head = ("precision", "batch", "time of a run", "items per second", "memory", "verdict")
    rows = [
        (
            each.precision,
            str(each.batch),
            short(each.expected, "seconds"),
            rate(each.per_second),
            format_bytes(each.memory),
            each.verdict or "",
        )
        for each in candidates
    ]
    return canvas.chart(plot.lowest, ChartTable(head, rows))


def _of_first_device(inspection: Inspection) -> list[Candidate]:
    fitting = [each for each in inspection.sweep or () if each.verdict != "does not fit"]
    found = [each for each in fitting if each.expected > 0 and each.per_second > 0]
    return [each for each in found if each.target == found[0].target]
