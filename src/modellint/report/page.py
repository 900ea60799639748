"""Pages for people: headings, labeled text and tables, in what a stream can show."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TextIO

from modellint.base.records import dataclass
from modellint.base.terminal import color_wanted, terminal_width
from modellint.base.text import brief, cells, clean, encodable, escaped, shorten
from modellint.report.options import Color, Options
from modellint.report.table import Column, Row, laid_out
from modellint.report.text import BOLD, LINES, Text

HEADING = LABEL = BOLD
UNBOUNDED = 1 << 20
LONGEST_NAME = 44


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Characters for drawing lines."""

    top: str = "╭─"
    bar: str = "│"
    bottom: str = "╰─"
    rule: str = "─"
    dot: str = "·"
    ellipsis: str = "…"
    times: str = "×"


ASCII = Glyphs(top=",-", bar="|", bottom="`-", rule="-", dot="-", ellipsis="...", times="x")


class Page:
    """Lines of text, at most as wide as the terminal, in characters that its stream can encode."""

    widest = 110
    """Maximum width of a page; wider lines are harder to read."""
    indent = 3
    gutter = 15
    """Column at which the text next to a label starts."""

    def __init__(self, stream: TextIO, options: Options) -> None:
        self.stream = stream
        self.options = options
        self.is_terminal = stream.isatty()
        self.has_color = is_colored(options.color, stream)
        self.encoding = (getattr(stream, "encoding", None) or "utf-8").lower()
        self.glyphs = Glyphs() if _can_encode(self.encoding) else ASCII
        self.is_ascii = self.glyphs is ASCII
        self.width = options.width or terminal_width()
        self.page = min(self.width, self.widest)
        if self.has_color and sys.platform == "win32":  # enables colors in older consoles
            import colorama

            colorama.just_fix_windows_console()

    def print(self, *parts: Text | str) -> None:
        if self.has_color:
            line = Text.of(*parts).rstrip().ansi()
        else:
            plain = "".join([p if isinstance(p, str) else p.plain for p in parts])
            line = escaped(plain.rstrip())
        self.stream.write(line + "\n")

    def blank(self) -> None:
        self.print()

    def words(self, text: str) -> str:
        """Remove control characters and those that the stream cannot encode."""
        text = brief(text, self.glyphs.ellipsis)
        return encodable(text, self.encoding) if self.is_ascii else text

    def path(self, path: str) -> str:
        """Like `words`, but whole: a shortened path leads nowhere."""
        text = clean(path)
        return encodable(text, self.encoding) if self.is_ascii else text

    def short(self, name: str) -> str:
        """Return a name that leaves room for the other columns of a table."""
        return shorten(self.words(name), LONGEST_NAME, self.glyphs.ellipsis)

    def dotted(self, parts: Sequence[str]) -> str:
        return f" {self.glyphs.dot} ".join(parts)

    def heading(self, text: str) -> None:
        """Print a title or a path, on as many lines as it needs, and a rule up to the edge."""
        room = self.page - 4
        rule = self.glyphs.rule
        start = Text(f"{rule * 2} ", LINES)
        *lines, last = Text(text, HEADING).folded(room) or [Text()]
        for line in lines:
            self.print(start, line)
            start = Text("   ")
        self.print(start, last, Text(f" {rule * (room - last.width)}", LINES))

    def line(self, *parts: Text | str) -> None:
        """Print text, wrapped; nothing without any."""
        text = Text.of(*parts)
        for line in text.wrapped(self.page - self.indent) if text else ():
            self.print(" " * self.indent, line)

    def item(self, label: str, *parts: Text | str) -> None:
        """Print one item of a list, whose lines all begin after its label."""
        margin = self.indent + 2
        for line in Text.of(*parts).wrapped(self.page - margin - len(label)):
            self.print(" " * margin, Text(label, LABEL), line)
            label = " " * len(label)

    def field(self, label: str | Text, value: str | Text) -> None:
        """Print a label and wrapped text next to it; nothing without text."""
        if not value:
            return
        text = Text(value) if isinstance(value, str) else value
        for line in text.wrapped(max(self.page - self.gutter, 20)):
            self.beside(label, line)
            label = ""

    def items(self, label: str, items: Sequence[str]) -> None:
        for line in self.wrapped(items, self.page - self.gutter):
            self.beside(label, line)
            label = ""

    def wrapped(self, items: Sequence[str], width: int) -> Iterator[Text]:
        """Join items with dots, wrapping lines at the dots."""
        line = ""
        for item in items:
            longer = self.dotted([line, item]) if line else item
            if line and cells(longer) > width:
                yield from Text(line).wrapped(width)
                longer = item
            line = longer
        yield from Text(line).wrapped(width) if line else ()

    def beside(self, label: str | Text, line: Text) -> None:
        label = Text(label, LABEL) if isinstance(label, str) else label
        gap = max(self.gutter - self.indent - label.width, 1)
        self.print(" " * self.indent, label, " " * gap, line)

    def table(
        self,
        columns: Sequence[Column],
        rows: Sequence[Row | None],
        *,
        title: str = "",
        indent: int | None = None,
        width: int | None = None,
    ) -> None:
        indent = self.indent if indent is None else indent
        if title:
            self.print(" " * indent, Text(title, HEADING))
            indent += 2
        for line in self.rows(columns, rows, (width or self.page) - indent):
            self.print(" " * indent, line)

    def rows(
        self, columns: Sequence[Column], rows: Sequence[Row | None], room: int, gap: int = 2
    ) -> Iterator[Text]:
        """Lay out a table: a line of headings, if it has any, and one line per row."""
        glyphs = self.glyphs
        return laid_out(columns, rows, room, gap=gap, ellipsis=glyphs.ellipsis, rule=glyphs.rule)


class ListPage(Page):
    """Page for lists, whose lines are not cut in a pipe or a file."""

    widest = 100
    indent = 2

    def __init__(
        self, stream: TextIO | None = None, options: Options | None = None, *, gutter: int = 12
    ) -> None:
        super().__init__(stream or sys.stdout, options or Options())
        self.gutter = gutter
        if not self.is_terminal and "COLUMNS" not in os.environ:
            self.width = UNBOUNDED

    def blocks(self, columns: Sequence[Column], blocks: Mapping[str, Sequence[Row]]) -> None:
        """Print one table in blocks, each with a title and the headings."""
        rows = [row for block in blocks.values() for row in block]
        lines = self.rows(columns, rows, self.width - self.indent)
        heading = next(lines) if any(column.title for column in columns) else None
        for title, block in blocks.items():
            self.print(Text(title, HEADING))
            if heading is not None:
                self.print(" " * self.indent, heading)
            for line in islice(lines, len(block)):
                self.print(" " * self.indent, line)
            self.blank()


def is_colored(color: Color, stream: TextIO) -> bool:
    if color != "auto":
        return color == "always"
    wanted = color_wanted()
    if wanted is None:
        return stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")
    return wanted


def _can_encode(encoding: str) -> bool:
    glyphs = Glyphs()
    try:
        "".join(getattr(glyphs, name) for name in Glyphs.__slots__).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
