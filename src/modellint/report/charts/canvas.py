"""A picture being drawn, as SVG. Every text and number is written here, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from modellint.base.markup import marked
from modellint.report.charts.chart import Chart, ChartTable
from modellint.report.charts.measure import fit, width_of, wrapped
from modellint.report.charts.style import CLASS, COLORS

Anchor = Literal["start", "middle", "end"]

HALO = "halo"
MARGIN = 16
LINE = 17
"""Height of a line of text."""
WIDTH = 760
"""Width of a chart, if nothing else is asked for."""


def color(at: int) -> int:
    """Return the number of the color of the series at a position; the last stands for the rest."""
    return min(at, COLORS - 1) + 1


class Canvas:
    """A picture with a title and a sentence; what is drawn comes below `top`."""

    def __init__(self, name: str, title: str, says: str, width: int = WIDTH) -> None:
        self.name, self.title, self.says = name, title, says
        self.width = width
        self.left, self.right = MARGIN, width - MARGIN
        self._parts: list[str] = []
        self.text(self.left, 25, fit(title, self.inner, 15, bold=True), "title")
        self.top = 30.0
        for line in wrapped(says, self.inner):
            self.top += LINE
            self.text(self.left, self.top - 2, line, "says")
        self.top += 12

    @property
    def inner(self) -> float:
        return self.right - self.left

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        cls: str,
        tip: str = "",
        rx: float = 0,
    ) -> None:
        if width <= 0 or height <= 0:
            return
        round_ = f' rx="{_n(rx)}"' if rx else ""
        place = f'x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"{round_}'
        self._mark("rect", place, cls, tip)

    def line(self, x1: float, y1: float, x2: float, y2: float, cls: str, tip: str = "") -> None:
        place = f'x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}"'
        self._mark("line", place, cls, tip)

    def circle(self, x: float, y: float, radius: float, cls: str, tip: str = "") -> None:
        self._mark("circle", f'cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}"', cls, tip)

    def polyline(self, points: Iterable[tuple[float, float]], cls: str, tip: str = "") -> None:
        self._mark("polyline", f'points="{_points(points)}"', cls, tip)

    def polygon(self, points: Iterable[tuple[float, float]], cls: str, tip: str = "") -> None:
        self._mark("polygon", f'points="{_points(points)}"', cls, tip)

    def ribbon(
        self,
        left: tuple[float, float],
        right: tuple[float, float],
        height: float,
        cls: str,
        tip: str,
    ) -> None:
        """Draw a band of constant height between two places."""
        (x1, y1), (x2, y2) = left, right
        middle = _n((x1 + x2) / 2)
        path = (
            f"M{_n(x1)} {_n(y1)}C{middle} {_n(y1)} {middle} {_n(y2)} {_n(x2)} {_n(y2)}"
            f"v{_n(height)}C{middle} {_n(y2 + height)} {middle} {_n(y1 + height)} "
            f"{_n(x1)} {_n(y1 + height)}z"
        )
        self._mark("path", f'd="{path}"', cls, tip)

    def text(self, x: float, y: float, said: str, cls: str = "", anchor: Anchor = "start") -> None:
        """Draw a text; one with a halo is drawn over its outline, so that lines stop before it."""
        if not said:
            return
        if cls.endswith(HALO):
            self._text(x, y, said, cls, anchor)
            cls = cls.removesuffix(HALO).rstrip()
        self._text(x, y, said, cls, anchor)

    def _text(self, x: float, y: float, said: str, cls: str, anchor: Anchor) -> None:
        where = f'x="{_n(x)}" y="{_n(y)}"'
        to = f' text-anchor="{anchor}"' if anchor != "start" else ""
        kind = f' class="{cls}"' if cls else ""
        self._parts.append(f"<text {where}{to}{kind}>{marked(said)}</text>")

    def legend(self, entries: Sequence[tuple[str, int]]) -> None:
        """Draw names of colors below each other's, as many in a line as fit."""
        x, y = float(self.left), self.top + 4
        for name, number in entries:
            name = fit(name, self.inner - 20)
            needed = 16 + width_of(name) + 18
            if x + needed - 18 > self.right and x > self.left:
                x, y = self.left, y + LINE + 1
            self.rect(x, y - 5, 11, 11, f"f{number}", rx=2)
            self.text(x + 16, y + 5, name)
            x += needed
        self.top = y + 22

    def chart(self, bottom: float, table: ChartTable) -> Chart:
        """Return the finished picture, of which `bottom` is the lowest place."""
        height = round(bottom + MARGIN - 4, 1)
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="{CLASS}" role="img" '
            f'viewBox="0 0 {self.width} {_n(height)}" width="{self.width}" height="{_n(height)}">'
            f"<title>{marked(self.title)}</title><desc>{marked(self.says)}</desc>"
            f"{''.join(self._parts)}</svg>"
        )
        return Chart(self.name, self.title, self.says, svg, table, self.width, height)

    def _mark(self, tag: str, place: str, cls: str, tip: str) -> None:
        inside = f"><title>{marked(tip)}</title></{tag}>" if tip else "/>"
        self._parts.append(f'<{tag} {place} class="{cls}"{inside}')


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in points)


def _n(number: float) -> str:
    """Return a coordinate with a tenth of a pixel, as short as possible."""
    return f"{number:.1f}".removesuffix(".0")
