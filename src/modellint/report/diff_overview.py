"""The page of `modellint diff` for several models: one line for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from modellint.base.units import format_bytes
from modellint.report.diff_language import trade_off_columns, trade_off_facts, trade_off_rows
from modellint.report.page import Page
from modellint.report.table import Column, Row, figures, names, paths, prose
from modellint.report.text import FAIR, GOOD, POOR, Text
from modellint.results.difference import Overview, OverviewRow, TradeOffs

OVERVIEW = (
    names(),
    paths("model", least=24),
    figures("old", drop=1),
    figures("new", drop=2),
    prose(least=16),
)


class OverviewPage(Page):
    """A table of several models that were compared."""

    gutter = 14

    def draw(self, overview: Overview) -> None:
        arrow = "->" if self.is_ascii else "→"
        sides = [self.words(side) for side in (overview.old, overview.new or "working tree")]
        self.heading(f" {arrow} ".join(sides))
        if len(overview.models) != 1 or overview.trade_offs is None:
            self._models(overview)
        if overview.trade_offs is not None:
            self._trade_offs(overview.trade_offs)

    def _models(self, overview: Overview) -> None:
        self._table(OVERVIEW, [self._row(row) for row in overview.models])
        counts = Counter(row.status for row in overview.models)
        said = [f"{count:,} {status}" for status, count in counts.items()]
        self.blank()
        self.print(" " * self.indent, self.dotted(said or ["no models that differ"]))

    def _table(self, columns: Sequence[Column], rows: Sequence[Row]) -> None:
        self.blank()
        for line in self.rows(columns, rows, self.page - self.indent):
            self.print(" " * self.indent, line)

    def _trade_offs(self, found: TradeOffs) -> None:
        self._table(trade_off_columns(found), trade_off_rows(found, self.words))
        self.blank()
        for fact in trade_off_facts(found):
            for line in Text(self.words(fact)).wrapped(self.page - self.indent):
                self.print(" " * self.indent, line)

    def _row(self, row: OverviewRow) -> Row:
        style = {"breaking": POOR, "unreadable": POOR, "same": GOOD}.get(row.status, FAIR)
        old, new = row.bytes
        sizes = ["" if size is None else format_bytes(size) for size in (old, new)]
        was = f" (was {row.was})" if row.was else ""
        return [
            Text(row.status, style),
            self.words(f"{row.name}{was}"),
            *sizes,
            self.words(row.says if row.status != "same" else ""),
        ]
