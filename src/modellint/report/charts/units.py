"""The unit that each part of a model runs on, and the nodes left to another one."""

from __future__ import annotations

from modellint.base.text import counted
from modellint.base.units import format_bytes
from modellint.report.charts.bars import Bar, BarRow, Panel, draw_bars
from modellint.report.charts.canvas import WIDTH, Canvas
from modellint.report.charts.chart import Chart, ChartTable
from modellint.report.charts.scales import short
from modellint.results.inspection import Inspection, Placed, PlacedPart

STRIP = 30
MOST_REASONS = 10
REASON = 0.66
"""Largest share of the width that reasons take."""
LEAST = 1.0
"""Width of the narrowest part, in pixels."""


def units(inspection: Inspection, width: int = WIDTH) -> Chart | None:
    placed = next(iter((inspection.placement or {}).values()), None)
    if placed is None or not placed.parts:
        return None
    others = [unit for unit in placed.nodes if unit != placed.accelerator]
    colors = {placed.accelerator: 5, **{unit: 3 + at for at, unit in enumerate(others)}}
    says = f"{counted(placed.partitions, 'part')} on {placed.accelerator}"
    if placed.crossing_bytes:
        says += f", {format_bytes(placed.crossing_bytes)} copied between units in a run"
    canvas = Canvas("placement", "Where it runs", f"{says}.", width)
    canvas.legend([(_named(placed, unit), colors[unit]) for unit in placed.nodes])
    y = canvas.top + 2
    has_macs = all(each.macs is not None for each in placed.parts)
    for title, sizes in (
        ("parts in order, as wide as their nodes", [each.nodes for each in placed.parts]),
        ("as wide as their MACs", [each.macs or 0 for each in placed.parts]),
    ):
        if sum(sizes) and (has_macs or "nodes" in title):
            y = _draw_strip(canvas, y, title, placed.parts, sizes, colors)
    if placed.left:
        y = _draw_reasons(canvas, y, placed)
    rows = [
        (each.unit, f"{each.nodes:,}", each.first, each.last, f"{each.macs or 0:,}")
        for each in placed.parts
    ]
    return canvas.chart(y, ChartTable(("unit", "nodes", "first", "last", "MACs"), rows))


def _named(placed: Placed, unit: str) -> str:
    share = placed.macs.get(unit)
    macs = f", {short(share, 'share')} of MACs" if share is not None else ""
    return f"{unit}: {counted(placed.nodes[unit], 'node')}{macs}"


def _draw_strip(
    canvas: Canvas,
    y: float,
    title: str,
    parts: list[PlacedPart],
    sizes: list[int],
    colors: dict[str, int],
) -> float:
    canvas.text(canvas.left, y + 6, title, "soft small")
    total, x = sum(sizes), float(canvas.left)
    spare = canvas.inner - LEAST * len(parts)
    for part, size in zip(parts, sizes, strict=True):
        width = canvas.inner * size / total if spare < 0 else LEAST + spare * size / total
        tip = f"{part.unit}: {counted(part.nodes, 'node')}, {part.first} to {part.last}"
        canvas.rect(x, y + 12, width, STRIP, f"f{colors.get(part.unit, 10)}", tip)
        x += width
    return y + STRIP + 26


def _draw_reasons(canvas: Canvas, y: float, placed: Placed) -> float:
    canvas.top = y - 2
    left = placed.left[:MOST_REASONS]
    rows = [
        BarRow(f"{each.op} {each.reason}", [Bar([(each.nodes, 3)], f"{each.nodes:,}")])
        for each in left
    ]
    title = f"nodes that {placed.accelerator} does not support"
    return draw_bars(canvas, [Panel(title)], rows, names=REASON)
