"""The layers that take most time, one after the other as they run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from modellint.base.records import dataclass
from modellint.base.text import counted
from modellint.report.charts.canvas import WIDTH, Canvas
from modellint.report.charts.chart import Chart, ChartTable
from modellint.report.charts.layers import TimedFacts, shared_path, timed, without_path
from modellint.report.charts.measure import fit, width_of
from modellint.report.charts.plot import draw_ticks
from modellint.report.charts.scales import linear, short
from modellint.results.inspection import Inspection

MOST = 18
ROW, BAR = 20, 13
MOST_NAME = 0.4
"""Largest share of the width that names take."""
BOUNDS = {
    "compute": ("mostly arithmetic", 1),
    "memory": ("mostly memory", 2),
    "overhead": ("mostly launch overhead", 6),
}
"""Names and colors of what layers wait for."""


@dataclass(frozen=True, slots=True)
class _Span:
    """A slow layer, or all layers between two of them."""

    layers: Sequence[TimedFacts]
    start: float
    seconds: float

    @property
    def is_one(self) -> bool:
        return len(self.layers) == 1

    @property
    def name(self) -> str:
        return self.layers[0].layer.name if self.is_one else counted(len(self.layers), "layer")


def waterfall(inspection: Inspection, width: int = WIDTH) -> Chart | None:
    layers, is_expected = timed(inspection)
    if len(layers) < 2:
        return None
    total = sum(each.seconds for each in layers)
    slowest = sorted(layers, key=lambda each: -each.seconds)[:MOST]
    spans = _spans(layers, {each.layer.index for each in slowest})
    share = sum(each.seconds for each in slowest) / total
    kind = "expected for all kernels" if is_expected else "at the device's peak rates"
    says = (
        f"{short(total, 'seconds')} {kind}; {counted(len(slowest), 'layer')} of {len(layers):,} "
        f"take {short(share, 'share')} of it."
    )
    canvas = Canvas("time", "Time by layer", says, width)
    legend = [(said, number) for bound, (said, number) in BOUNDS.items() if _has(layers, bound)]
    canvas.legend([*legend, ("layers in between", 10)])
    bottom = _draw(canvas, spans, total)
    table = [
        (
            each.name,
            each.layers[0].layer.op_type if each.is_one else "",
            short(each.seconds, "seconds"),
            short(each.seconds / total, "share"),
            each.layers[0].bound if each.is_one else "",
        )
        for each in spans
    ]
    return canvas.chart(bottom, ChartTable(("layer", "operator", "time", "share", "bound"), table))


def _has(layers: Sequence[TimedFacts], bound: str) -> bool:
    return any(each.bound == bound for each in layers)


def _spans(layers: Sequence[TimedFacts], alone: set[int]) -> list[_Span]:
    spans: list[_Span] = []
    between: list[TimedFacts] = []
    now = 0.0
    for each in layers:
        if each.layer.index not in alone:
            between.append(each)
            continue
        now = _flush(spans, between, now)
        spans.append(_Span([each], now, each.seconds))
        now += each.seconds
    _flush(spans, between, now)
    return spans


def _flush(spans: list[_Span], between: list[TimedFacts], now: float) -> float:
    """Add the layers before a slow one as a span; return when they end."""
    if not between:
        return now
    seconds = sum(each.seconds for each in between)
    spans.append(_Span(tuple(between), now, seconds))
    between.clear()
    return now + seconds


def _draw(canvas: Canvas, spans: Sequence[_Span], total: float) -> float:
    path = shared_path([each.name for each in spans if each.is_one])
    named = [without_path(each.name, path) for each in spans]
    names = min(max(map(width_of, named)) + 2, canvas.inner * MOST_NAME)
    label = max(width_of(_label(each, total), 11) for each in spans) + 6
    left = canvas.left + names + 12
    top, bottom = canvas.top + 4, canvas.top + 4 + len(spans) * ROW
    scale = linear(total, left, canvas.right - label, "seconds", exact=True)
    ticks = [(value, _tick(said, value, total)) for value, said in scale.ticks]
    for value, _ in ticks:
        canvas.line(scale(value), top - 4, scale(value), bottom, "grid")
    draw_ticks(canvas, replace(scale, ticks=ticks), bottom)
    for at, (span, name) in enumerate(zip(spans, named, strict=True)):
        y = top + at * ROW
        _, number = BOUNDS.get(span.layers[0].bound if span.is_one else "", ("", 10))
        x, end = scale(span.start), max(scale(span.start + span.seconds), scale(span.start) + 1.5)
        is_soft = "" if span.is_one else "soft"
        canvas.text(left - 10, y + BAR - 2, fit(name, names), is_soft, "end")
        tip = f"{span.name}: {short(span.seconds, 'seconds')}"
        canvas.rect(x, y, end - x, BAR, f"f{number}", tip)
        canvas.text(end + 5, y + BAR - 2, _label(span, total), "small halo")
    return bottom + 18


def _label(span: _Span, total: float) -> str:
    return f"{short(span.seconds, 'seconds')} · {short(span.seconds / total, 'share')}"


def _tick(said: str, value: float, total: float) -> str:
    unit = short(total, "seconds").rpartition(" ")[2]
    return said if said.endswith("s") or value == 0 else f"{said} {unit}"
