"""The device's two limits, and where each layer is below them."""

from __future__ import annotations

from collections import Counter

from modellint.base.records import dataclass
from modellint.base.units import format_bandwidth
from modellint.report.charts.canvas import WIDTH, Canvas, color
from modellint.report.charts.chart import Chart, ChartTable
from modellint.report.charts.layers import OTHERS, timed
from modellint.report.charts.measure import fit, width_of
from modellint.report.charts.plot import Plot, draw_plot
from modellint.report.charts.scales import logarithmic, short
from modellint.results.inspection import Inspection, LayerFacts, Memory, Roofline

HEIGHT = 300
KINDS = 6
MOST_ROWS = 60
NAMED, WORTH = 3, 0.03
"""Layers that are named: those with most of the time, if that is worth it."""
SAID = 0.005
"""Share of the time that is worth a sentence."""
SMALLEST, LARGEST = 2.5, 13.0
MARGIN = 1.6
"""Room around the layers, as a factor."""


@dataclass(frozen=True, slots=True)
class _Point:
    layer: LayerFacts
    intensity: float
    rate: float
    share: float


def roofline(inspection: Inspection, width: int = WIDTH) -> Chart | None:
    memory = next((each for each in inspection.estimates if each.roofline is not None), None)
    points = _points(inspection)
    if memory is None or memory.roofline is None or not points:
        return None
    roof = memory.roofline
    waiting = short(roof.memory_share, "share")
    says = (
        f"{memory.device or memory.target} in {roof.precision}: at peak rates, {waiting} of the "
        f"time is spent waiting for memory, at {format_bandwidth(roof.bandwidth)}; above "
        f"{roof.ridge:.3g} operations per byte, arithmetic is the limit."
    )
    if timed(inspection)[1]:
        says += " A circle's distance from the line is its expected time relative to the minimum."
    moving = _moving(inspection)
    if moving >= SAID:
        says += f" Layers that only move data are not shown: {short(moving, 'share')} of the time."
    canvas = Canvas("roofline", "Roofline", says, width)
    kinds = _kinds(points)
    canvas.legend([(name, number) for name, number in kinds.items()])
    low = min(min(each.intensity for each in points), roof.ridge) / MARGIN
    high = max(max(each.intensity for each in points), roof.ridge) * MARGIN
    least = min(min(each.rate for each in points), roof.bandwidth * low)
    plot = draw_plot(
        canvas,
        lambda start, end: logarithmic(low, high, start, end),
        lambda start, end: logarithmic(least, roof.peak, start, end),
        HEIGHT,
        ("operations per byte moved", "operations per second"),
    )
    _draw_roof(canvas, plot, roof)
    _draw_points(canvas, plot, points, kinds)
    _name_slowest(canvas, plot, points)
    return canvas.chart(plot.lowest, _table(points, memory))


def _points(inspection: Inspection) -> list[_Point]:
    layers, _ = timed(inspection)
    total = sum(each.seconds for each in layers)
    return [
        _Point(
            each.layer,
            each.layer.flops / each.layer.bytes,
            each.layer.flops / each.seconds,
            each.seconds / total,
        )
        for each in layers
        if each.layer.flops and each.layer.bytes
    ]


def _moving(inspection: Inspection) -> float:
    """Return the share of the time in layers that compute nothing."""
    layers, _ = timed(inspection)
    total = sum(each.seconds for each in layers)
    moving = sum(each.seconds for each in layers if not each.layer.flops)
    return moving / total if total else 0.0


def _kinds(points: list[_Point]) -> dict[str, int]:
    """Return the color of each operator: those that take most time have one of their own."""
    shares: Counter[str] = Counter()
    for each in points:
        shares[each.layer.op_type] += each.share  # type: ignore[assignment]
    kinds = {op: color(at) for at, (op, _) in enumerate(shares.most_common(KINDS))}
    return {**kinds, **({OTHERS: 10} if len(shares) > KINDS else {})}


def _draw_roof(canvas: Canvas, plot: Plot, roof: Roofline) -> None:
    low = max(plot.x.low, plot.y.low / roof.bandwidth)
    knee = (plot.x(roof.ridge), plot.y(roof.peak))
    canvas.polyline(
        [(plot.x(low), plot.y(roof.bandwidth * low)), knee, (plot.right, knee[1])], "ink"
    )
    canvas.line(*knee, knee[0], plot.bottom, "limit")
    said = f"{short(roof.peak)} operations/s"
    canvas.text(plot.right - 4, knee[1] + 15, said, "soft small halo", "end")
    ridge = f"{roof.ridge:.3g}"
    is_left = knee[0] - width_of(ridge, 11) - 6 > plot.left
    canvas.text(
        knee[0] + (-4 if is_left else 4),
        plot.bottom - 6,
        ridge,
        "over small halo",
        "end" if is_left else "start",
    )


def _draw_points(canvas: Canvas, plot: Plot, points: list[_Point], kinds: dict[str, int]) -> None:
    """Draw a circle for each layer, in area its share of the time; those of one place as one."""
    places: dict[tuple[int, int, int], list[_Point]] = {}
    for each in points:
        number = kinds.get(each.layer.op_type, 10)
        at = (round(plot.x(each.intensity)), round(plot.y(each.rate)), number)
        places.setdefault(at, []).append(each)
    for (x, y, number), here in sorted(places.items(), key=lambda each: -_share(each[1])):
        radius = max(SMALLEST, min(LARGEST, 2 * LARGEST * _share(here) ** 0.5))
        more = f" and {len(here) - 1} more" if len(here) > 1 else ""
        tip = f"{here[0].layer.name}{more}: {short(_share(here), 'share')} of the time"
        canvas.circle(x, y, radius, f"f{number} dot", tip)


def _share(points: list[_Point]) -> float:
    return sum(each.share for each in points)


def _name_slowest(canvas: Canvas, plot: Plot, points: list[_Point]) -> None:
    """Name the layers that take most time, where there is room."""
    free = plot.top + 32  # below what is written at the roof
    for each in sorted(points, key=lambda each: -each.share)[:NAMED]:
        if each.share < WORTH:
            break
        x, y = plot.x(each.intensity), plot.y(each.rate)
        said = fit(f"{each.layer.name} {short(each.share, 'share')}", 190, 11)
        width = width_of(said, 11) + 6
        is_left = x + width > plot.right
        place = max(y + 28, free)
        if place > plot.bottom - 20 or (is_left and x - width < plot.left):
            continue
        free = place + 14
        canvas.line(x, y, x, place - 4, "rule")
        canvas.text(
            x + (-5 if is_left else 5), place, said, "small halo", "end" if is_left else "start"
        )


def _table(points: list[_Point], memory: Memory) -> ChartTable:
    head = (
        "layer",
        "operator",
        "operations per byte",
        "operations per second",
        "share of time",
        "bound",
    )
    slowest = sorted(points, key=lambda each: -each.share)[:MOST_ROWS]
    rows = [
        (
            each.layer.name,
            each.layer.op_type,
            f"{each.intensity:.3g}",
            short(each.rate),
            short(each.share, "share"),
            each.layer.bound or "",
        )
        for each in slowest
    ]
    return ChartTable(head, rows)
