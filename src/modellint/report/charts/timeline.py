"""Memory while the model runs: weights below, activations above, and the device's limit."""

from __future__ import annotations

from modellint.base.units import format_bytes
from modellint.report.charts.canvas import WIDTH, Canvas
from modellint.report.charts.chart import Chart, ChartTable
from modellint.report.charts.layers import shared_path, without_path
from modellint.report.charts.measure import fit, width_of
from modellint.report.charts.plot import Plot, draw_limit, draw_plot
from modellint.report.charts.scales import linear, short
from modellint.results.inspection import Inspection, LayerFacts, Memory

HEIGHT = 220
MOST_STEPS = 600
MOST_ROWS = 40
NEAR = 1.6
"""The limit is drawn if the peak comes near to it: further away it would flatten all else."""


def timeline(inspection: Inspection, width: int = WIDTH) -> Chart | None:
    steps = _steps(inspection)
    if len(steps) < 2:
        return None
    memory = next(iter(inspection.estimates), None)
    peak = max(steps, key=lambda each: each.alive or 0)
    most = peak.alive or 0
    fixed = _fixed(memory)
    usable = memory.usable if memory is not None else None
    limit = usable if usable is not None and usable <= NEAR * (most + fixed) else None
    canvas = Canvas("memory", "Memory while it runs", _summary(peak, fixed, memory), width)
    shown_fixed = fixed if limit is not None else 0
    if shown_fixed:
        others = f"weights, runtime, in and out ({format_bytes(fixed)})"
        canvas.legend([("activations", 1), (others, 10)])
    top = max(most + shown_fixed, limit or 0)
    plot = draw_plot(
        canvas,
        lambda start, end: linear(len(steps), start, end, exact=True),
        lambda start, end: linear(top, start, end, "bytes"),
        HEIGHT,
        ("kernels, in the order in which they run", "bytes alive"),
    )
    _draw_memory(canvas, plot, steps, shown_fixed)
    _mark_peak(canvas, plot, steps, peak, shown_fixed)
    if limit is not None and memory is not None:
        draw_limit(canvas, plot, limit, f"{memory.target}: {format_bytes(limit)}")
    largest = sorted(steps, key=lambda each: -(each.alive or 0))[:MOST_ROWS]
    table = [(f"{each.step}", each.name, each.op_type, f"{each.alive:,}") for each in largest]
    return canvas.chart(
        plot.lowest, ChartTable(("step", "layer", "operator", "bytes alive"), table)
    )


def _summary(peak: LayerFacts, fixed: int, memory: Memory | None) -> str:
    most = peak.alive or 0
    says = f"Activations peak at {peak.name}: {format_bytes(most)}"
    if memory is None or memory.usable is None:
        return f"{says}."
    share = short((most + fixed) / memory.usable, "share")
    return (
        f"{says}; with weights and runtime, {format_bytes(most + fixed)}: {share} of the "
        f"{format_bytes(memory.usable)} usable on {memory.target}."
    )


def _draw_memory(canvas: Canvas, plot: Plot, steps: list[LayerFacts], fixed: int) -> None:
    """Draw the activations of each step, above what is there all the time."""
    step = _step_width(plot)
    base, end = plot.y(fixed), plot.left + len(steps) * step
    if fixed:
        canvas.rect(plot.left, base, len(steps) * step, plot.bottom - base, "f10 area")
    outline = [(plot.left, base)]
    for at, alive in _reduced([each.alive or 0 for each in steps], MOST_STEPS):
        x, y = plot.left + at * step, plot.y(fixed + alive)
        outline += [(x, outline[-1][1]), (x, y)]
    outline += [(end, outline[-1][1]), (end, base)]
    canvas.polygon(outline, "f1 area")


def _mark_peak(
    canvas: Canvas, plot: Plot, steps: list[LayerFacts], peak: LayerFacts, fixed: int
) -> None:
    """Label the step with the most activations, on the side where there is room."""
    most = peak.alive or 0
    x, y = plot.left + (steps.index(peak) + 0.5) * _step_width(plot), plot.y(fixed + most)
    room = (plot.right - plot.left) * 0.6
    name = without_path(peak.name, shared_path([each.name for each in steps]))
    label = fit(f"peak {format_bytes(most)} · {name}", room, 11, bold=True)
    needed = width_of(label, 11, bold=True) + 8
    is_right = x + needed > plot.right and x - needed > plot.left
    if not is_right and x + needed > plot.right:
        label = fit(label, plot.right - x - 8, 11, bold=True)
    canvas.circle(x, y, 3.5, "over")
    canvas.text(
        x + (-8 if is_right else 8),
        max(y - 5, plot.top + 4),
        label,
        "strong small halo",
        "end" if is_right else "start",
    )


def _step_width(plot: Plot) -> float:
    return (plot.right - plot.left) / plot.x.high


def _steps(inspection: Inspection) -> list[LayerFacts]:
    """Return the last node of each kernel, in the order of kernels."""
    found: dict[int, LayerFacts] = {}
    for layer in inspection.every_layer or ():
        if layer.step is not None and layer.alive is not None:
            found[layer.step] = layer
    return [found[step] for step in sorted(found)]


def _fixed(memory: Memory | None) -> int:
    if memory is None:
        return 0
    return memory.weights + memory.overhead.expected + memory.kv_cache.expected


def _reduced(values: list[int], most: int) -> list[tuple[int, int]]:
    """Return places and values; of many neighbors, the largest."""
    width = -(-len(values) // most)
    return [(at, max(values[at : at + width])) for at in range(0, len(values), width)]
