"""A chart as data: a picture, and the table that says the same."""

from __future__ import annotations

from collections.abc import Sequence

from modellint.base.records import dataclass
from modellint.report.charts.style import Theme, style


@dataclass(frozen=True, slots=True)
class ChartTable:
    """The figures of a chart, for readers that do not see it."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture without scripts and ids, so that several fit one page.

    Its colors are those of `style()`, which a page has once and a file by itself has inside.
    """

    name: str
    title: str
    says: str
    """What it shows, in one sentence."""
    svg: str
    table: ChartTable

    def standalone(self, theme: Theme = "auto") -> str:
        """Return the picture as a file of its own."""
        head, _, body = self.svg.partition(">")
        return f"{head}>{style(theme, background=True)}{body}\n"
