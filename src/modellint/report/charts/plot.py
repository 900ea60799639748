"""The area of a plot, with its axes."""

from __future__ import annotations

from collections.abc import Callable

from modellint.base.records import dataclass
from modellint.report.charts.canvas import Canvas
from modellint.report.charts.measure import width_of
from modellint.report.charts.scales import Scale

BELOW = 38
"""Height of the horizontal axis with its title."""
ABOVE = 18

MakeScale = Callable[[float, float], Scale]
"""Makes a scale between two places."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot whose axes are drawn."""

    x: Scale
    y: Scale
    left: float
    right: float
    top: float
    bottom: float

    @property
    def lowest(self) -> float:
        """Return the lowest place, the axis included."""
        return self.bottom + BELOW


def draw_plot(
    canvas: Canvas,
    across: MakeScale,
    up: MakeScale,
    height: float,
    titles: tuple[str, str],
    *,
    right: float | None = None,
) -> Plot:
    """Draw axes with ticks below the canvas's top; `right` leaves room next to the plot."""
    top = canvas.top + ABOVE
    bottom = top + height
    y = up(bottom, top)
    left = canvas.left + max(width_of(label, 11) for _, label in y.ticks) + 8
    edge = right if right is not None else float(canvas.right)
    x = across(left, edge)
    canvas.text(canvas.left, canvas.top + 6, titles[1], "soft small")
    for value, label in y.ticks:
        place = y(value)
        canvas.line(left, place, edge, place, "rule" if value == y.low else "grid")
        canvas.text(left - 6, place + 4, label, "soft small", "end")
    draw_ticks(canvas, x, bottom)
    canvas.text((left + edge) / 2, bottom + 32, titles[0], "soft small", "middle")
    return Plot(x, y, left, edge, top, bottom)


def draw_ticks(canvas: Canvas, x: Scale, bottom: float) -> None:
    """Draw the marks of the horizontal axis, and those labels that do not touch the one before."""
    free = float("-inf")
    for value, label in x.ticks:
        place, half = x(value), width_of(label, 11) / 2
        canvas.line(place, bottom, place, bottom + 4, "rule")
        middle = min(place, canvas.right - half)
        if middle - half > free:
            canvas.text(middle, bottom + 16, label, "soft small", "middle")
            free = middle + half + 6


def draw_limit(canvas: Canvas, plot: Plot, value: float, label: str) -> None:
    """Draw a line that values should stay below."""
    y = plot.y(value)
    canvas.line(plot.left, y, plot.right, y, "limit")
    below = y - plot.top < 16
    canvas.text(plot.right - 4, y + 14 if below else y - 5, label, "over small halo", "end")
