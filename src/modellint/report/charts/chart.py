"""A chart as data: a picture, and the table that says the same."""

from __future__ import annotations

from collections.abc import Sequence

from modellint.base.records import dataclass
from modellint.report.charts.style import CLASS, Theme, stylesheet

SPACE = 12
"""Pixels between charts of one sheet."""


@dataclass(frozen=True, slots=True)
class ChartTable:
    """The figures of a chart, for readers that do not see it."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture without scripts and ids, so that several fit one page.

    Its colors are those of `stylesheet()`, which a page has once and a file by itself has inside.
    """

    name: str
    title: str
    says: str
    """One sentence of what it shows."""
    svg: str
    table: ChartTable
    width: int
    height: float

    def _repr_html_(self) -> str:
        return self.standalone()

    def standalone(self, theme: Theme = "auto") -> str:
        """Return the picture as a file of its own."""
        head, _, body = self.svg.partition(">")
        return f"{head}><style>{stylesheet(theme, background=True)}</style>{body}\n"


def sheet(charts: Sequence[Chart], theme: Theme = "auto") -> str:
    """Return several charts as one file, one below the other."""
    if len(charts) == 1:
        return charts[0].standalone(theme)
    places, y = [], 0.0
    for chart in charts:
        places.append(chart.svg.replace("<svg ", f'<svg y="{y:g}" ', 1))
        y += chart.height + SPACE
    width = max(chart.width for chart in charts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{CLASS}" role="group" '
        f'viewBox="0 0 {width} {y:g}" width="{width}" height="{y:g}">'
        f"<style>{stylesheet(theme, background=True)}</style>{''.join(places)}</svg>\n"
    )
