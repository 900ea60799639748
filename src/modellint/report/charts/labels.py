"""Names next to points of a plot, without two that touch."""

from __future__ import annotations

from collections.abc import Iterable

from modellint.report.charts.canvas import Canvas
from modellint.report.charts.measure import fit, width_of
from modellint.report.charts.plot import Plot

LONGEST = 200
LINE = 15
GAP = 10


def named_points(canvas: Canvas, plot: Plot, points: Iterable[tuple[float, float, str]]) -> None:
    """Write each name next to its point; where another one is already, nearer to the middle,
    with a line to it."""
    taken: list[tuple[float, float, float]] = []
    for x, y, name in points:
        is_left = x - plot.left > plot.right - x
        room = (x - plot.left if is_left else plot.right - x) - GAP
        said = fit(name, min(LONGEST, room))
        width = width_of(said)
        left, place = (x - GAP - width if is_left else x + GAP), y + 4
        step = -LINE if y > (plot.top + plot.bottom) / 2 else LINE
        while any(
            abs(place - at) < LINE and left < end and begin < left + width
            for begin, end, at in taken
        ):
            place += step
        taken.append((left, left + width, place))
        if place != y + 4:
            canvas.line(x, y, x, place, "rule")
        canvas.text(left, place, said, "halo")
