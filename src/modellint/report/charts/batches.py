"""Memory by batch size, for each precision that the device runs."""

from __future__ import annotations

from modellint.base.units import format_bytes
from modellint.report.charts.canvas import WIDTH, Canvas
from modellint.report.charts.chart import Chart, ChartTable
from modellint.report.charts.plot import draw_limit, draw_plot
from modellint.report.charts.precisions import COLORS, OTHER
from modellint.report.charts.scales import logarithmic
from modellint.results.inspection import Inspection, Memory, Row

HEIGHT = 220
NEAR = 4.0
"""The limit is drawn if memory comes near to it."""


def batches(inspection: Inspection, width: int = WIDTH) -> Chart | None:
    memory = next((each for each in inspection.estimates if each.table), None)
    rows = memory.table if memory is not None else None
    if memory is None or rows is None or len({c.batch for row in rows for c in row.cells}) < 2:
        return None
    known = [cell.expected for row in rows for cell in row.cells if cell.expected is not None]
    sizes = [cell.batch for row in rows for cell in row.cells]
    canvas = Canvas("batches", "Memory by batch", f"{_says(memory)}.", width)
    canvas.legend([(row.precision, COLORS.get(row.precision, OTHER)) for row in rows])
    usable = memory.usable
    limit = usable if usable is not None and usable < NEAR * max(known) else None
    top = min(max(*known, limit or 0), 1.3 * limit) if limit else max(known)
    least = min(known)
    plot = draw_plot(
        canvas,
        lambda start, end: logarithmic(min(sizes), max(sizes), start, end, base=2),
        lambda start, end: logarithmic(least, top, start, end, "bytes", base=2),
        HEIGHT,
        ("batch size", "bytes expected"),
    )
    for row in rows:
        number = COLORS.get(row.precision, OTHER)
        points = [
            (plot.x(cell.batch), plot.y(cell.expected))
            for cell in row.cells
            if cell.expected is not None
        ]
        canvas.polyline(points, f"s{number} thin")
        for (x, y), cell in zip(points, row.cells, strict=False):
            tip = f"{row.precision}, batch {cell.batch}: {format_bytes(cell.expected or 0)}"
            canvas.circle(x, y, 4, f"f{number}", f"{tip}, {cell.verdict or 'no verdict'}")
    if limit is not None:
        draw_limit(canvas, plot, limit, f"{memory.target}: {format_bytes(limit)}")
    return canvas.chart(plot.lowest, _table(rows))


def _says(memory: Memory) -> str:
    most = memory.largest_batch
    if most is None:
        return f"Memory on {memory.device or memory.target}"
    if most == 0:
        return f"No batch fits {memory.device or memory.target} in {memory.precision}"
    return f"At most {most:,} fit {memory.device or memory.target} in {memory.precision}"


def _table(rows: list[Row]) -> ChartTable:
    table = [
        (
            row.precision,
            str(cell.batch),
            f"{cell.expected:,}" if cell.expected is not None else "",
            cell.verdict or "",
        )
        for row in rows
        for cell in row.cells
    ]
    return ChartTable(("precision", "batch", "bytes", "verdict"), table)
