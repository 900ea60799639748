"""Labeled fields and columns of text on a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from modellint.base.text import cells, shorten
from modellint.report.page import ASCII, HEADING, LABEL, LINES, Page

WIDEST = 110
"""Maximum width of a page; wider lines are harder to read."""
INDENT = 3
GUTTER = 15
"""Column at which the text next to a label starts."""
NARROWEST = 20
"""Minimum width of a shortened name."""


class Sheet(Page):
    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.page = min(self.width, WIDEST)
        self.is_plain = self.glyphs is ASCII

    def heading(self, parts: Sequence[str]) -> None:
        room = self.page - 4
        text = Text(shorten(self.dotted(parts), room, self.glyphs.ellipsis), HEADING)
        rule = self.glyphs.rule
        line = Text(f" {rule * (room - text.cell_len)}", LINES)
        self.print(Text(rule * 2 + " ", LINES), text, line)

    def line(self, text: str) -> None:
        for line in Text(text).wrap(self.console, self.page - INDENT):
            self.print(Text(" " * INDENT), line)

    def items(self, label: str, items: Sequence[str]) -> None:
        for line in self.wrapped(items, self.page - GUTTER):
            self.beside(label, line)
            label = ""

    def wrapped(self, items: Sequence[str], width: int) -> Iterator[Text]:
        """Join items with dots, wrapping lines at the dots."""
        line = ""
        for item in items:
            longer = self.dotted([line, item]) if line else item
            if line and cells(longer) > width:
                yield from Text(line).wrap(self.console, width)
                longer = item
            line = longer
        yield from Text(line).wrap(self.console, width) if line else ()

    def field(self, label: str, value: str) -> None:
        if value:
            self.paragraph(Text(label, LABEL), Text(value))

    def paragraph(self, label: Text, value: Text) -> None:
        width = max(self.page - GUTTER, 20)
        for at, line in enumerate(value.wrap(self.console, width)):
            line.rstrip()
            self.beside(label if at == 0 else "", line)

    def beside(self, label: str | Text, line: Text) -> None:
        """Print a label at the left, with text next to it."""
        word = Text(label, LABEL) if isinstance(label, str) else label
        gap = " " * max(GUTTER - INDENT - word.cell_len, 1)
        self.print(Text(" " * INDENT), word, Text(gap), line)

    def table(
        self, label: str, rows: Sequence[Sequence[Text]], align: str, *, drop: tuple[int, ...]
    ) -> None:
        self.print(Text(" " * INDENT), Text(label, HEADING))
        for line in self.columns(rows, align, self.page - INDENT - 2, drop=drop):
            self.print(Text(" " * (INDENT + 2)), line)

    def columns(
        self,
        rows: Sequence[Sequence[Text]],
        align: str,
        room: int,
        *,
        drop: tuple[int, ...] = (),
    ) -> Iterator[Text]:
        """Lay out rows in columns. If space is short, shorten left-aligned words to a minimum
        width, then drop the columns in `drop`, in order."""
        if not rows:
            return
        widths = [max(row[at].cell_len for row in rows) for at in range(len(align))]
        kept = [at for at, width in enumerate(widths) if width]
        for at in (-1, *drop):
            kept = [each for each in kept if each != at]
            if _squeeze(widths, [each for each in kept if align[each] == "l"], kept, room):
                break
        for row in rows:
            line = Text()
            for each in kept:
                cell = self._shortened(row[each], widths[each])
                padding = Text(" " * (widths[each] - cell.cell_len))
                pair = (padding, cell) if align[each] == "r" else (cell, padding)
                line.append_text(Text.assemble("  " if len(line) else "", *pair))
            line.rstrip()
            line.truncate(room)
            yield line

    def _shortened(self, text: Text, width: int) -> Text:
        if text.cell_len <= width:
            return text
        return Text(shorten(text.plain, width, self.glyphs.ellipsis), text.style)

    def shape(self, shape: Sequence[int | str | None] | None) -> str:
        if shape is None:
            return "any rank"
        dims = ["?" if dim is None else self._dim(str(dim)) for dim in shape]
        return self.glyphs.times.join(dims) or "scalar"

    def _dim(self, dim: str) -> str:
        dim = self.words(dim)
        return f"({dim})" if " " in dim else dim


def _squeeze(widths: list[int], words: Sequence[int], kept: Sequence[int], room: int) -> bool:
    """Narrow the widest word columns until the row fits; change nothing if it cannot fit."""
    tried = list(widths)
    while words:
        over = sum(tried[each] for each in kept) + 2 * (len(kept) - 1) - room
        if over <= 0:
            widths[:] = tried
            return True
        widest = max(words, key=lambda each: tried[each])
        if tried[widest] <= NARROWEST:
            return False
        tried[widest] -= 1
    return False
