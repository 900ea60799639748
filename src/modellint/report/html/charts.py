"""Charts of a model, each with the table that says the same."""

from __future__ import annotations

from collections.abc import Iterable

from modellint.report.charts import Chart, charts
from modellint.report.html.markup import Markup, element
from modellint.report.html.parts import columns, section, table
from modellint.results.inspection import Inspection

WIDTH = 580


def charts_section(key: str, told: Inspection) -> Markup | None:
    return charts_of(f"{key}-charts", charts(told, WIDTH))


def charts_of(key: str, charts: Iterable[Chart | None]) -> Markup | None:
    """Return the section of those charts that there are."""
    drawn = [_chart(chart) for chart in charts if chart is not None]
    return section(key, "Charts", element("div", drawn, class_="charts")) if drawn else None


def _chart(chart: Chart) -> Markup:
    """Return a chart; its own title and sentence are part of the picture."""
    figures = table(f"{chart.title}, as a table", columns(*chart.table.head), chart.table.rows)
    picture = element(
        "div",
        Markup(chart.svg),
        class_="scroll",
        role="group",
        aria_label=chart.title,
        tabindex="0",
    )
    return element(
        "figure",
        picture,
        element("details", element("summary", "As a table"), figures),
        class_="panel",
    )
