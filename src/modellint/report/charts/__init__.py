"""Charts of a model, drawn as SVG from what `modellint inspect` knows of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from modellint.report.charts.accuracy import accuracy
from modellint.report.charts.batches import batches
from modellint.report.charts.blocks import blocks
from modellint.report.charts.canvas import WIDTH
from modellint.report.charts.chart import Chart, ChartTable, sheet
from modellint.report.charts.contexts import contexts
from modellint.report.charts.critical import critical
from modellint.report.charts.depth import depth
from modellint.report.charts.devices import devices
from modellint.report.charts.efficiency import efficiency
from modellint.report.charts.neighborhood import neighborhoods
from modellint.report.charts.operators import operators
from modellint.report.charts.pareto import pareto
from modellint.report.charts.precisions import precisions
from modellint.report.charts.roofline import roofline
from modellint.report.charts.sankey import sankey
from modellint.report.charts.style import stylesheet, with_theme
from modellint.report.charts.sweep import sweep
from modellint.report.charts.timeline import timeline
from modellint.report.charts.units import units
from modellint.report.charts.waterfall import waterfall
from modellint.results.inspection import Inspection

CHARTS: Mapping[str, Callable[[Inspection, int], Chart | None]] = {
    "operators": operators,
    "blocks": blocks,
    "flow": sankey,
    "depth": depth,
    "precisions": precisions,
    "memory": timeline,
    "time": waterfall,
    "critical": critical,
    "roofline": roofline,
    "efficiency": efficiency,
    "accuracy": accuracy,
    "batches": batches,
    "sweep": sweep,
    "devices": devices,
    "contexts": contexts,
    "placement": units,
}
"""Charts by name; each is None for a model without its data."""


def charts(inspection: Inspection, width: int = WIDTH) -> list[Chart]:
    """Return all charts that there are data for."""
    drawn = (draw(inspection, width) for draw in CHARTS.values())
    return [chart for chart in drawn if chart is not None]


__all__ = [
    "CHARTS",
    "WIDTH",
    "Chart",
    "ChartTable",
    "charts",
    "neighborhoods",
    "pareto",
    "sheet",
    "stylesheet",
    "with_theme",
]
