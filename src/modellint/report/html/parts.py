"""Parts that sections are made of: tables, cards, bars, lists of facts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from modellint.base.links import rule_url
from modellint.base.records import dataclass
from modellint.report.html.markup import Markup, element, joined, name

Cell = Markup | str | int | None
MOST_ROWS = 200
"""Rows of a table in details; JSON has all."""


@dataclass(frozen=True, slots=True)
class Heading:
    """Heading of a column; those of figures are aligned to the right and sorted as numbers."""

    said: str
    is_figure: bool = False


def columns(*headings: str) -> list[Heading]:
    """Return columns; a heading that begins with # is one of figures."""
    return [Heading(each.removeprefix("#"), each.startswith("#")) for each in headings]


@dataclass(frozen=True, slots=True)
class Sorted:
    """A cell that is sorted by another value than the text that it shows."""

    shown: Markup | str
    by: float


def table(
    label: str, heads: Sequence[Heading], rows: Iterable[Sequence[Cell | Sorted]], key: str = ""
) -> Markup:
    """Return a table that scrolls on its own where the page is narrow."""
    all_rows = list(rows)
    head = element(
        "tr",
        [
            element("th", each.said, scope="col", class_="figure" if each.is_figure else None)
            for each in heads
        ],
    )
    body = [_row(heads, row) for row in all_rows[:MOST_ROWS]]
    rest = len(all_rows) - MOST_ROWS
    more = element("p", f"{rest:,} more in the JSON report.", class_="quiet") if rest > 0 else None
    return joined(
        [
            element(
                "div",
                element("table", element("thead", head), element("tbody", body), id=key or None),
                class_="scroll",
                role="region",
                aria_label=label,
                tabindex="0",
            ),
            more,
        ]
    )


def _row(heads: Sequence[Heading], row: Sequence[Cell | Sorted]) -> Markup:
    cells = []
    for at, (head, cell) in enumerate(zip(heads, row, strict=False)):
        shown = cell.shown if isinstance(cell, Sorted) else cell
        by = cell.by if isinstance(cell, Sorted) else cell if isinstance(cell, int) else None
        said = f"{shown:,}" if isinstance(shown, int) else shown
        cells.append(
            element(
                "th" if at == 0 else "td",
                said,
                scope="row" if at == 0 else None,
                class_="figure" if head.is_figure else None,
                data_by=by,
            )
        )
    return element("tr", cells)


def facts(pairs: Iterable[tuple[str, Markup | str | None]]) -> Markup | None:
    """Return a list of facts; those without a value are left out."""
    told = [
        element("div", element("dt", label), element("dd", value))
        for label, value in pairs
        if value
    ]
    return element("dl", told, class_="facts") if told else None


def card(label: str, figure: Markup | str, *more: Markup | None, tone: str = "") -> Markup:
    """Return one figure of the first screen."""
    return element(
        "div",
        element("dt", label),
        element("dd", element("strong", figure), *more),
        class_=f"card {tone}".strip(),
    )


def quiet(said: str) -> Markup:
    return element("span", said, class_="quiet")


def bar(label: str, parts: Sequence[tuple[str, float, str]], whole: float) -> Markup:
    """Return a bar of parts: (kind, size, what it says), as a share of the whole."""
    left, rects = 0.0, []
    total = max(whole, sum(size for _, size, _ in parts), 1e-12)
    for kind, size, said in parts:
        width = 100 * size / total
        if width <= 0:
            continue
        rects.append(
            element(
                "rect",
                element("title", said),
                x=f"{left:.3f}%",
                width=f"{max(width, 0.4):.3f}%",
                height="100%",
                class_=f"part {kind}",
            )
        )
        left += width
    return element("svg", rects, class_="bar", role="img", aria_label=label)


def rule_link(code: str) -> Markup:
    """Return a rule's code, as a link to its page if it has one."""
    url = rule_url(code)
    if not url:
        return element("span", code, class_="code")
    return element("a", code, href=url, rel="noreferrer", class_="code")


def section(key: str, title: str, *children: Markup | None, nav: str = "") -> Markup | None:
    """Return a section; None if there is nothing in it."""
    if not any(children):
        return None
    return element("section", element("h2", title), *children, id=key, data_nav=nav or title)


def panel(title: str, *children: Markup | None, is_wide: bool = False) -> Markup | None:
    """Return one box of the details; None if there is nothing in it."""
    if not any(children):
        return None
    return element(
        "div", element("h3", title), *children, class_="panel wide" if is_wide else "panel"
    )


def names(all_names: Sequence[str], most: int = 8) -> Markup:
    shown = [element("li", name(each)) for each in all_names[:most]]
    if len(all_names) > most:
        shown.append(element("li", f"{len(all_names) - most:,} more", class_="quiet"))
    return element("ul", shown, class_="names")


def dims(shape: Sequence[int | str | None] | None) -> str:
    """Return a shape as `batch×3×224×224`."""
    if shape is None:
        return "any rank"
    return "×".join("?" if dim is None else str(dim) for dim in shape) or "scalar"
