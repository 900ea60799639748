"""Memory and speed of a language model by the length of its context."""

from __future__ import annotations

from modellint.base.units import format_bytes
from modellint.report.charts.bars import Bar, BarRow, Panel, draw_bars
from modellint.report.charts.canvas import WIDTH, Canvas
from modellint.report.charts.chart import Chart, ChartTable
from modellint.report.charts.scales import rate
from modellint.results.inspection import Inspection, LanguageContext

PARTS = (("weights", 4), ("cache", 2), ("buffers", 7), ("runtime", 10))


NEAR = 3.0
"""The limit is drawn if it is less than so many times the memory of the longest context."""


def contexts(inspection: Inspection, width: int = WIDTH) -> Chart | None:
    model = inspection.llm
    if model is None or not model.contexts:
        return None
    each_device = "on each device" if model.devices > 1 else "in all"
    last = model.contexts[-1]
    says = (
        f"A token takes {format_bytes(model.cache_per_token)} of cache in {model.kv_precision}; "
        f"{_tokens(last.tokens)} take {format_bytes(last.total)} {each_device}"
    )
    if model.room is not None:
        longest = f"at most {_tokens(model.longest)} fit" if model.longest else "nothing fits"
        says += f", of {format_bytes(model.room)} usable on {model.target}: {longest}"
    canvas = Canvas("contexts", "Memory by context", f"{says}.", width)
    canvas.legend(PARTS)
    has_speed = any(each.decode for each in model.contexts)
    is_near = model.room is not None and model.room < NEAR * last.total
    limit = model.room if is_near else None
    room = f", and the {format_bytes(limit)} of {model.target}" if limit is not None else ""
    panels = [
        Panel(f"bytes{room}"),
        *([Panel("tokens per second, at most", 0.5)] if has_speed else []),
    ]
    rows = [
        BarRow(_tokens(each.tokens), [_memory(each, limit), _speed(each)][: len(panels)])
        for each in model.contexts
    ]
    table = [
        (
            f"{each.tokens:,}",
            *(f"{part:,}" for part in _parts(each)),
            f"{each.total:,}",
            each.verdict or "",
            rate(each.decode),
        )
        for each in model.contexts
    ]
    head = ("tokens", *(name for name, _ in PARTS), "total", "verdict", "tokens per second")
    return canvas.chart(draw_bars(canvas, panels, rows), ChartTable(head, table))


def _parts(context: LanguageContext) -> tuple[int, ...]:
    return context.weights, context.cache, context.compute, context.overhead


def _memory(context: LanguageContext, room: int | None) -> Bar:
    segments = [
        (float(part), number) for part, (_, number) in zip(_parts(context), PARTS, strict=True)
    ]
    verdict = f", {context.verdict}" if context.verdict else ""
    tip = ", ".join(
        f"{name} {format_bytes(part)}"
        for part, (name, _) in zip(_parts(context), PARTS, strict=True)
        if part
    )
    return Bar(segments, f"{format_bytes(context.total)}{verdict}", tip, limit=room)


def _speed(context: LanguageContext) -> Bar | None:
    if not context.decode:
        return None
    return Bar([(context.decode, 1)], rate(context.decode), f"bound by {context.decode_bound}")


def _tokens(count: int | None) -> str:
    """``8 k tokens``, as context lengths are named."""
    if count is None:
        return ""
    return f"{count // 1024:,} k tokens" if count % 1024 == 0 else f"{count:,} tokens"
