"""Several devices next to each other: memory that is taken, and time."""

from __future__ import annotations

from modellint.base.records import dataclass
from modellint.base.text import counted
from modellint.base.units import format_bytes
from modellint.report.charts.bars import Bar, BarRow, Panel, draw_bars
from modellint.report.charts.canvas import WIDTH, Canvas
from modellint.report.charts.chart import Chart, ChartTable
from modellint.report.charts.scales import rate, short
from modellint.results.inspection import Inspection, Memory, Verdict

MOST = 40
COLORS: dict[Verdict | None, int] = {"fits": 5, "tight": 2, "does not fit": 3, None: 10}
ROOM = 1.25
"""Share of the memory, with that of what does not fit, which takes a panel's width at most."""


@dataclass(frozen=True, slots=True)
class _Device:
    name: str
    needed: int
    room: int | None
    verdict: Verdict | None
    figure: float | None
    figure_text: str


def devices(inspection: Inspection, width: int = WIDTH) -> Chart | None:
    found = _of_memory(inspection) or _of_language_model(inspection)
    if len(found) < 2:
        return None
    shown = found[:MOST]
    fitting = sum(each.verdict == "fits" for each in found)
    says = f"It fits {fitting} of {counted(len(found), 'device')}"
    if len(found) > MOST:
        says += f", of which the first {MOST} are shown"
    canvas = Canvas("devices", "Devices", f"{says}.", width)
    verdicts: list[Verdict] = ["fits", "tight", "does not fit"]
    canvas.legend([(name, COLORS[name]) for name in verdicts])
    shares = [each.needed / each.room for each in shown if each.room]
    most = min(max([1.0, *shares]), ROOM)
    title = _title(inspection)
    has_figure = any(each.figure for each in shown)
    panels = [Panel("share of the memory", 1, most), *([Panel(title, 0.6)] if has_figure else [])]
    rows = [
        BarRow(
            each.name,
            [
                _taken(each, most),
                Bar([(each.figure, 1)], each.figure_text) if each.figure else None,
            ][: len(panels)],
        )
        for each in shown
    ]
    table = [
        (
            each.name,
            f"{each.needed:,}",
            f"{each.room:,}" if each.room is not None else "",
            each.verdict or "",
            each.figure_text,
        )
        for each in found
    ]
    head = ("device", "bytes needed", "bytes usable", "verdict", title)
    return canvas.chart(draw_bars(canvas, panels, rows), ChartTable(head, table))


def _title(inspection: Inspection) -> str:
    if not _of_memory(inspection):
        return "tokens per second, at most"
    return "seconds, expected" if _is_timed(inspection) else "seconds, at least"


def _is_timed(inspection: Inspection) -> bool:
    """Return True if there is an expected time for each device: bounds are not mixed with them."""
    times = (inspection.time or {}).values()
    return bool(times) and None not in times


def _seconds(inspection: Inspection, memory: Memory) -> float | None:
    if _is_timed(inspection):
        time = (inspection.time or {}).get(memory.target or "")
        return time.expected if time is not None else None
    return memory.roofline.seconds if memory.roofline is not None else None


def _taken(device: _Device, most: float) -> Bar | None:
    if not device.room:
        return None
    share = min(device.needed / device.room, most)
    label = f"{format_bytes(device.needed)} of {format_bytes(device.room)}"
    return Bar([(share, COLORS[device.verdict])], label, device.verdict or "", limit=1.0)


def _of_memory(inspection: Inspection) -> list[_Device]:
    return [
        _Device(
            each.target or "",
            each.total.expected,
            each.usable,
            each.verdict,
            (seconds := _seconds(inspection, each)),
            short(seconds, "seconds") if seconds is not None else "",
        )
        for each in (inspection.memory or {}).values()
    ]


def _of_language_model(inspection: Inspection) -> list[_Device]:
    return [
        _Device(
            each.target,
            each.total,
            each.room,
            each.verdict,
            each.decode,
            rate(each.decode),
        )
        for each in inspection.llm_devices or ()
    ]
