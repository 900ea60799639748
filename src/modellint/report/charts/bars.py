"""Rows of bars: a name, and for each panel a bar with its number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from modellint.base.records import dataclass
from modellint.report.charts.canvas import Canvas
from modellint.report.charts.measure import fit, width_of

ROW = 23
BAR = 14
GAP = 26
MOST_NAME = 0.34
"""Largest share of the width that names take."""
LEAST_BAR = 1.5


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of one or several segments, each with its length and color."""

    segments: Sequence[tuple[float, int]]
    label: str
    tip: str = ""
    limit: float | None = None
    """A mark that it should not reach."""

    @property
    def length(self) -> float:
        return sum(length for length, _ in self.segments)


@dataclass(frozen=True, slots=True)
class BarRow:
    """A row; a panel for which it has no bar stays empty."""

    name: str
    bars: Sequence[Bar | None]
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """A column of bars with one scale."""

    title: str
    weight: float = 1.0
    """Its share of the width."""
    most: float | None = field(default=None)
    """Length that takes all of its width; by default that of the longest bar."""


def draw_bars(
    canvas: Canvas, panels: Sequence[Panel], rows: Sequence[BarRow], names: float = MOST_NAME
) -> float:
    """Draw the rows below the canvas's top, and return the lowest place.

    Names take a share of the width at most.
    """
    names = min(max(width_of(row.name) for row in rows) + 2, canvas.inner * names)
    left = canvas.left + names + 12
    room = canvas.right - left - GAP * (len(panels) - 1)
    weights = sum(panel.weight for panel in panels)
    top = canvas.top + (20 if any(panel.title for panel in panels) else 0)
    for at, row in enumerate(rows):
        y = top + at * ROW
        canvas.text(
            left - 10, y + BAR - 2.5, fit(row.name, names), "strong" if row.strong else "", "end"
        )
    x = left
    for at, panel in enumerate(panels):
        width = room * panel.weight / weights
        canvas.text(x, canvas.top + 8, fit(panel.title, width), "soft small")
        _draw_panel(canvas, panel, [row.bars[at] for row in rows], x, top, width)
        x += width + GAP
    return top + len(rows) * ROW - (ROW - BAR)


def _draw_panel(
    canvas: Canvas, panel: Panel, bars: Sequence[Bar | None], x: float, top: float, width: float
) -> None:
    there = [bar for bar in bars if bar is not None]
    label = max((width_of(bar.label) for bar in there), default=0.0) + 6
    most = panel.most or max((max(bar.length, bar.limit or 0) for bar in there), default=0.0)
    scale = max(width - label, 20) / most if most else 0.0
    canvas.line(x - 0.5, top - 3, x - 0.5, top + len(bars) * ROW - ROW + BAR + 3, "rule")
    for at, bar in enumerate(bars):
        if bar is None:
            continue
        y, end = top + at * ROW, x
        for length, number in bar.segments:
            drawn = min(
                max(length * scale, LEAST_BAR if length > 0 else 0), x + width - label - end
            )
            canvas.rect(end, y, drawn, BAR, f"f{number}", bar.tip)
            end += drawn
        if bar.limit is not None:
            mark = x + min(bar.limit * scale, width - label)
            canvas.line(mark, y - 3, mark, y + BAR + 3, "limit")
            end = max(end, mark)
        canvas.text(end + 5, y + BAR - 2.5, bar.label)
