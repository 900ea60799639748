"""The layers that take most time, one after the other as they run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from modellint.base.records import dataclass
from modellint.base.text import counted
from modellint.inspection import Inspection, LayerFacts
from modellint.report.charts.canvas import WIDTH, Canvas
from modellint.report.charts.chart import Chart, ChartTable
from modellint.report.charts.layers import running, time_of
from modellint.report.charts.measure import fit, width_of
from modellint.report.charts.plot import draw_ticks
from modellint.report.charts.scales import linear, short

MOST = 18
ROW, BAR = 20, 13
BOUNDS = {"compute": 1, "memory": 2}


@dataclass(frozen=True, slots=True)
class _Span:
    """A slow layer, or all layers between two of them."""

    layers: Sequence[LayerFacts]
    start: float
    seconds: float

    @property
    def is_one(self) -> bool:
        return len(self.layers) == 1

    @property
    def name(self) -> str:
        return self.layers[0].name if self.is_one else counted(len(self.layers), "layer")


def waterfall(inspection: Inspection, width: int = WIDTH) -> Chart | None:
    timed = [each for each in running(inspection) if time_of(each)]
    if len(timed) < 2:
        return None
    total = sum(time_of(each) or 0 for each in timed)
    slowest = sorted(timed, key=lambda each: -(time_of(each) or 0))[:MOST]
    spans = list(_spans(timed, {each.index for each in slowest}))
    share = sum(time_of(each) or 0 for each in slowest) / total
    is_expected = any(each.expected is not None for each in timed)
    kind = "expected" if is_expected else "at the device's peak rates"
    says = (
        f"{short(total, 'seconds')} {kind}; {counted(len(slowest), 'layer')} of {len(timed):,} "
        f"take {short(share, 'share')} of it."
    )
    canvas = Canvas("time", "Time by layer", says, width)
    names = {"compute": "bound by arithmetic", "memory": "bound by memory"}
    legend = [(said, BOUNDS[bound]) for bound, said in names.items()]
    canvas.legend([*legend, ("all layers between", 10)])
    bottom = _draw(canvas, spans, total)
    table = [
        (
            each.layers[0].name if each.is_one else each.name,
            each.layers[0].op_type if each.is_one else "",
            short(each.seconds, "seconds"),
            short(each.seconds / total, "share"),
            (each.layers[0].bound or "") if each.is_one else "",
        )
        for each in spans
    ]
    return canvas.chart(bottom, ChartTable(("layer", "operator", "time", "share", "bound"), table))


def _spans(timed: Sequence[LayerFacts], alone: set[int]) -> list[_Span]:
    spans: list[_Span] = []
    between: list[LayerFacts] = []
    now = 0.0
    for layer in timed:
        if layer.index not in alone:
            between.append(layer)
            continue
        now = _flush(spans, between, now)
        seconds = time_of(layer) or 0
        spans.append(_Span([layer], now, seconds))
        now += seconds
    _flush(spans, between, now)
    return spans


def _flush(spans: list[_Span], between: list[LayerFacts], now: float) -> float:
    """Add the layers before a slow one as a span; return when they end."""
    if not between:
        return now
    seconds = sum(time_of(each) or 0 for each in between)
    spans.append(_Span(tuple(between), now, seconds))
    between.clear()
    return now + seconds


def _draw(canvas: Canvas, spans: Sequence[_Span], total: float) -> float:
    names = min(max(width_of(each.name) for each in spans) + 2, canvas.inner * 0.36)
    label = max(width_of(_label(each, total), 11) for each in spans) + 6
    left = canvas.left + names + 12
    top, bottom = canvas.top + 4, canvas.top + 4 + len(spans) * ROW
    scale = linear(total, left, canvas.right - label, "seconds", exact=True)
    ticks = [(value, _tick(said, value, total)) for value, said in scale.ticks]
    for value, _ in ticks:
        canvas.line(scale(value), top - 4, scale(value), bottom, "grid")
    draw_ticks(canvas, replace(scale, ticks=ticks), bottom)
    for at, span in enumerate(spans):
        y = top + at * ROW
        bound = span.layers[0].bound if span.is_one else None
        number = BOUNDS.get(bound or "", 10)
        x, end = scale(span.start), max(scale(span.start + span.seconds), scale(span.start) + 1.5)
        is_soft = "" if span.is_one else "soft"
        canvas.text(left - 10, y + BAR - 2, fit(span.name, names), is_soft, "end")
        tip = f"{span.name}: {short(span.seconds, 'seconds')}"
        canvas.rect(x, y, end - x, BAR, f"f{number}", tip)
        canvas.text(end + 5, y + BAR - 2, _label(span, total), "small halo")
    return bottom + 18


def _label(span: _Span, total: float) -> str:
    return f"{short(span.seconds, 'seconds')} · {short(span.seconds / total, 'share')}"


def _tick(said: str, value: float, total: float) -> str:
    unit = short(total, "seconds").rpartition(" ")[2]
    return said if said.endswith("s") or value == 0 else f"{said} {unit}"
