"""Findings drawn in their graphs, as one SVG file."""

from __future__ import annotations

from modellint.report.charts import neighborhoods
from modellint.report.options import Options
from modellint.results.finding import Result


def render(result: Result, options: Options) -> str:
    return neighborhoods(result).standalone()
