"""Sections of the page of `modellint diff`."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from modellint.base.text import shorten
from modellint.report.diff_words import LONGEST_VALUE
from modellint.report.page import Page
from modellint.report.table import Cell, Column, Row
from modellint.report.text import FAIR, GOOD, LINES, POOR, Text

T = TypeVar("T")
MOST_ROWS = 8
"""Rows of one kind of change, unless the page is verbose."""
MOST_NAMES = 3


class SectionPage(Page):
    """Sections of a page about a difference: what each begins with, and how much of it is shown."""

    gutter = 14

    @property
    def arrow(self) -> str:
        return "->" if self.is_ascii else "→"

    def some(self, named: Sequence[str]) -> str:
        shown = named if self.options.verbose else named[:MOST_NAMES]
        more = [f"{len(named) - len(shown)} more"] if len(named) > len(shown) else []
        names = [shorten(self.words(name.strip()), LONGEST_VALUE) for name in shown]
        return ", ".join([*names, *more])

    def alike(self, items: Iterable[T], key: Callable[[T], Hashable]) -> list[tuple[T, int]]:
        """Return the first of items that are alike, and how many there are; all if verbose."""
        if self.options.verbose:
            return [(item, 1) for item in items]
        groups: dict[Hashable, list[T]] = {}
        for item in items:
            groups.setdefault(key(item), []).append(item)
        return [(group[0], len(group)) for group in groups.values()]

    def times(self, count: int) -> str:
        return f"{self.glyphs.times}{count:,}" if count > 1 else ""

    def section(
        self, label: str, columns: Sequence[Column], rows: Sequence[Row], count: int = 0
    ) -> None:
        if not rows:
            return
        self.blank()
        for line in self.rows(columns, rows, self.page - self.gutter):
            self.beside(label, line)
            label = ""
        if count > len(rows):
            self.beside("", Text(f"and {count - len(rows):,} more", LINES))

    def under(self, label: str, facts: Iterable[str], *, is_first: bool) -> None:
        """Print facts below a section, or instead of one that has no rows."""
        if is_first:
            self.blank()
        else:
            label = ""
        for fact in facts:
            for line in Text(self.words(fact)).wrapped(self.page - self.gutter):
                self.beside(label, line)
                label = ""

    def first(self, items: Sequence[T]) -> Sequence[T]:
        return items if self.options.verbose else items[:MOST_ROWS]

    def more(self, items: Sequence[T], verb: str) -> list[Row]:
        more = len(items) - len(self.first(items))
        return [["", Text(f"{more:,} more {verb}", LINES)]] if more else []

    def mark(self, mark: str, *, is_bad: bool | None = None) -> list[Cell]:
        styles = {"+": GOOD, "-": POOR, "~": FAIR}
        style = styles[mark] if is_bad is None else POOR if is_bad else GOOD
        return [Text(mark, style)]
