"""The critical path: what takes time one after the other, and what could run at the same time."""

from __future__ import annotations

from modellint.base.text import counted
from modellint.report.charts.bars import Bar, BarRow, Panel, draw_bars
from modellint.report.charts.canvas import WIDTH, Canvas
from modellint.report.charts.chart import Chart, ChartTable
from modellint.report.charts.layers import by_block, running
from modellint.report.charts.scales import short
from modellint.results.inspection import Inspection

MOST = 16
NEARLY_ALL = 0.98
"""Share of the time on the path from which a model is a chain, and a chart says nothing."""
ON, OFF = 1, 8
"""Colors."""


def critical(inspection: Inspection, width: int = WIDTH) -> Chart | None:
    layers = [each for each in running(inspection) if each.expected]
    total = sum(each.expected or 0 for each in layers)
    path = [each for each in layers if each.critical]
    time = sum(each.expected or 0 for each in path)
    if not path or time >= NEARLY_ALL * total:
        return None
    says = (
        f"{counted(len(path), 'kernel')} of {len(layers):,} wait for each other for "
        f"{short(time, 'seconds')} of {short(total, 'seconds')}; all others could run meanwhile."
    )
    canvas = Canvas("critical", "Critical path", says, width)
    canvas.legend([("on the path", ON), ("off the path", OFF)])
    rows, table = [], []
    for group in by_block(inspection, MOST):
        on = group.sum(lambda each: each.expected if each.critical else 0)
        off = group.sum(lambda each: 0 if each.critical else each.expected)
        if on + off > 0:
            label = short(on + off, "seconds")
            rows.append(BarRow(group.name, [Bar([(on, ON), (off, OFF)], label)]))
            table.append((group.name, short(on, "seconds"), short(off, "seconds")))
    bottom = draw_bars(canvas, [Panel("expected time")], rows)
    return canvas.chart(bottom, ChartTable(("block", "on the path", "off the path"), table))
