"""Text as HTML: for notebooks and pages. What comes from models never becomes markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from modellint.base.text import clean

MOST_ROWS = 200
"""Rows of a table in a notebook."""


def marked(text: object) -> str:
    """Return text that is safe in HTML and SVG, as content and as an attribute's value."""
    return escape(clean(str(text)), quote=True)


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table, cut after as many rows as people read, with the number of the rest."""
    listed = list(rows)
    header = "".join(f"<th>{marked(name)}</th>" for name in head)
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in listed[:MOST_ROWS])
    left = len(listed) - MOST_ROWS
    more = f"<p>and {left:,} more</p>" if left > 0 else ""
    return (
        f"<div><p><strong>{marked(title)}</strong></p>"
        f"<table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>{more}</div>"
    )


def facts(title: str, pairs: Iterable[tuple[str, object]]) -> str:
    """Return a table of names and values, without those that are not known."""
    return table(title, ("", ""), [pair for pair in pairs if pair[1] not in (None, "")])


def _cells(row: Sequence[object]) -> str:
    return "".join(f'<td style="text-align:left">{marked(cell)}</td>' for cell in row)
