"""Tables: columns of names, prose and figures, laid out in the available width."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from modellint.base.records import dataclass
from modellint.report.text import BOLD, LINES, Text

Cell = Text | str
Row = Sequence[Cell]

NARROWEST = 20
"""Minimum width of a shortened name."""
INDENT = "  "
"""Before the further lines of a long path."""

Kind = Literal["names", "paths", "prose", "figures"]


@dataclass(frozen=True, slots=True)
class Column:
    """Kind of a column's content, and how it shrinks if space is short."""

    kind: Kind
    """Names are shortened in the middle, prose at the end; paths are whole, on several lines;
    figures are right-aligned and whole."""
    title: Cell = ""
    drop: int = 0
    """Columns with 1 are dropped first; those with 0 always stay."""
    least: int = NARROWEST
    """Width down to which names and prose are shortened before any column is dropped."""


def names(title: Cell = "", *, drop: int = 0, least: int = NARROWEST) -> Column:
    return Column("names", title, drop, least)


def paths(title: Cell = "", *, drop: int = 0, least: int = NARROWEST) -> Column:
    return Column("paths", title, drop, least)


def prose(title: Cell = "", *, drop: int = 0, least: int = NARROWEST) -> Column:
    return Column("prose", title, drop, least)


def figures(title: Cell = "", *, drop: int = 0) -> Column:
    return Column("figures", title, drop)


def laid_out(
    columns: Sequence[Column],
    rows: Sequence[Row | None],
    room: int,
    *,
    gap: int = 2,
    ellipsis: str = "…",
    rule: str = "─",
) -> Iterator[Text]:
    """Iterate over a line of headings, if there are any, and the rows; None is a separator.

    A row is a line, or several if it has a long path. Empty columns are left out. If space is
    short, the widest names and prose are shortened down to the `least` of their column, then
    columns are dropped in the order of `drop`.
    """
    body = [None if row is None else [_text(cell) for cell in row] for row in rows]
    shown = [
        at for at in range(len(columns)) if any(row and at < len(row) and row[at] for row in body)
    ]
    titles = [_text(column.title, BOLD) for column in columns]
    table = [titles, *body] if any(titles[at] for at in shown) else body
    widths = {at: max(row[at].width for row in table if row and at < len(row)) for at in shown}
    _fit(widths, columns, room, gap)
    for row in table:
        if row is None:
            yield Text(rule * min(sum(widths.values()) + gap * (len(widths) - 1), room), LINES)
            continue
        cells = [
            _lines(row[at], width, columns[at].kind, ellipsis) if at < len(row) else [Text()]
            for at, width in widths.items()
        ]
        blanks = [Text(" " * width) for width in widths.values()]
        for line in range(max(map(len, cells))):
            parts = [
                each[line] if line < len(each) else blank
                for each, blank in zip(cells, blanks, strict=True)
            ]
            yield _cut(Text(" " * gap).join(parts).rstrip(), room, ellipsis)


def _lines(cell: Text, width: int, kind: Kind, ellipsis: str) -> Sequence[Text]:
    if kind != "paths" or cell.width <= width:
        return [_fitted(cell, width, kind, ellipsis)]
    has_folders = "/" in cell.plain or "\\" in cell.plain
    room = width - len(INDENT)
    first, *rest = cell.folded(room) if has_folders else cell.wrapped(room)
    return [first.padded(width), *(Text.of(INDENT, line).padded(width) for line in rest)]


def _fitted(cell: Text, width: int, kind: Kind, ellipsis: str) -> Text:
    if kind == "prose":
        cell = _cut(cell, width, ellipsis)
    return cell.shortened(width, ellipsis).padded(width, to_the_right=kind == "figures")


def _cut(text: Text, width: int, ellipsis: str) -> Text:
    if text.width <= width:
        return text
    return text.cut(width - len(ellipsis)).rstrip() + ellipsis


def _text(cell: Cell, style: str = "") -> Text:
    return Text(cell, style) if isinstance(cell, str) else cell


def _fit(widths: dict[int, int], columns: Sequence[Column], room: int, gap: int) -> None:
    """Narrow and drop columns until a row fits, as far as they allow it."""
    drops = sorted({column.drop for column in columns if column.drop})
    for drop in (0, *drops):
        for at in [at for at in widths if drop and columns[at].drop == drop]:
            del widths[at]
        narrowed = _narrowed(widths, columns, room - gap * (len(widths) - 1))
        if sum(narrowed.values()) + gap * (len(widths) - 1) <= room:
            break
    widths.update(narrowed)


def _narrowed(widths: dict[int, int], columns: Sequence[Column], room: int) -> dict[int, int]:
    """Narrow the widest names and prose until all fit or none can shrink further."""
    narrowed = dict(widths)
    while sum(narrowed.values()) > room:
        giving = [
            at
            for at, width in narrowed.items()
            if columns[at].kind != "figures" and width > columns[at].least
        ]
        if not giving:
            break
        narrowed[max(giving, key=lambda at: narrowed[at])] -= 1
    return narrowed


def markdown(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Iterate over the lines of a Markdown table; cells must be escaped."""
    yield markdown_row(titles)
    yield markdown_row(["---"] * len(titles))
    yield from map(markdown_row, rows)


def markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
