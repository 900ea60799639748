"""The nodes around a finding, one below the other, as in frames."""

from __future__ import annotations

from collections.abc import Sequence

from modellint.base.text import counted
from modellint.report.charts.canvas import LINE, WIDTH, Canvas
from modellint.report.charts.chart import Chart, ChartTable
from modellint.report.charts.measure import fit, width_of, wrapped
from modellint.report.grouping import grouped
from modellint.results.finding import Finding, FrameRow, Result

BOX, GAP = 30, 5
MOST = 12
COLORS = {"error": 3, "warning": 2, "info": 1}


def neighborhoods(result: Result, width: int = WIDTH) -> Chart:
    """Draw the most severe findings that have a place in a graph."""
    groups = [group.first for group in grouped(result.active) if group.first.frame is not None]
    groups.sort(key=lambda finding: -finding.severity)
    shown = groups[:MOST]
    says = counted(len(groups), "finding") + " with a place in a graph"
    if len(groups) > MOST:
        says += f", of which the first {MOST} are shown"
    canvas = Canvas("findings", "Findings in their graphs", f"{says}.", width)
    for finding in shown:
        _draw(canvas, finding)
    rows = [
        (finding.path, finding.code, str(finding.severity), finding.location.label, finding.message)
        for finding in shown
    ]
    head = ("model", "rule", "severity", "place", "message")
    return canvas.chart(canvas.top - 12, ChartTable(head, rows))


def _draw(canvas: Canvas, finding: Finding) -> None:
    number = COLORS[str(finding.severity)]
    y = canvas.top + 8
    canvas.rect(canvas.left, y - 10, 4, 14, f"f{number}")
    head = f"{finding.severity} {finding.code} · {finding.path}"
    canvas.text(canvas.left + 12, y + 1, fit(head, canvas.inner - 12, bold=True), "strong")
    for line in wrapped(finding.message, canvas.inner - 12):
        y += LINE
        canvas.text(canvas.left + 12, y, line)
    frame = finding.frame
    canvas.top = y + 14
    if frame is not None:
        _draw_rows(canvas, frame.rows, frame.note, number)
    canvas.top += 14


def _draw_rows(canvas: Canvas, rows: Sequence[FrameRow], note: str, number: int) -> None:
    left, width = canvas.left + 12.0, min(canvas.inner - 12, 560)
    ops = max(width_of(row.op, bold=True) for row in rows)
    for row in rows:
        y = canvas.top
        canvas.rect(left, y, width, BOX, "band", row.name, rx=5)
        if row.focus:
            canvas.rect(left, y, 5, BOX, f"f{number}", rx=2)
        middle = y + BOX / 2 + 4
        name_at = left + 14 + min(ops, width * 0.3) + 14
        detail = fit(row.detail, width * 0.36, 11)
        room = left + width - 12 - width_of(detail, 11) - 14 - name_at
        canvas.text(left + 14, middle, fit(row.op, width * 0.3, bold=True), "strong")
        canvas.text(name_at, middle, fit(row.name, room))
        canvas.text(left + width - 12, middle, detail, "soft small", "end")
        canvas.top += BOX + GAP
        if row.focus and note:
            for line in wrapped(note, width - 20):
                canvas.top += LINE
                canvas.text(left + 14, canvas.top - 6, line, "soft")
            canvas.top += 3
    canvas.top -= GAP
