"""The precision of each layer in order, and where it changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby, pairwise

from modellint.base.text import counted
from modellint.base.units import format_bytes
from modellint.report.charts.canvas import WIDTH, Canvas
from modellint.report.charts.chart import Chart, ChartTable
from modellint.report.charts.layers import running
from modellint.report.charts.measure import fit
from modellint.report.charts.scales import short
from modellint.results.inspection import Inspection, LayerFacts

STRIP = 24
COLORS = {
    "fp64": 9,
    "fp32": 1,
    "tf32": 8,
    "bf16": 7,
    "fp16": 4,
    "fp8": 6,
    "int16": 9,
    "int8": 2,
    "fp4": 3,
    "int4": 3,
    "int2": 6,
}
"""Colors of precisions, the same in every chart."""
OTHER = 10


def precisions(inspection: Inspection, width: int = WIDTH) -> Chart | None:
    layers = [each for each in running(inspection) if each.precision in COLORS]
    if len({each.precision for each in layers}) < 2:
        return None
    found = Counter(each.precision for each in layers)
    macs: Counter[str] = Counter()
    for each in layers:
        macs[each.precision] += each.macs or 0
    changes = Counter(
        (one.precision, two.precision)
        for one, two in pairwise(layers)
        if one.precision != two.precision
    )
    main, most = (macs if macs.total() else found).most_common(1)[0]
    of = f"{short(most / (macs if macs.total() else found).total(), 'share')} of the "
    says = f"{of}{'MACs' if macs.total() else 'layers'} in {main}; "
    says += f"{counted(changes.total(), 'change')} of precision along the graph."
    canvas = Canvas("precisions", "Precision of layers", says, width)
    canvas.legend([(_named(name, found, macs), COLORS[name]) for name, _ in found.most_common()])
    y = canvas.top + 2
    for title, size in _strips(layers):
        y = _draw_strip(canvas, y, title, layers, size)
    y = _draw_stored(canvas, y, inspection)
    rows = [(name, f"{count:,}", f"{macs[name]:,}") for name, count in found.most_common()]
    rows += [(f"{one} → {two}", f"{count:,}", "") for (one, two), count in changes.most_common()]
    return canvas.chart(y, ChartTable(("precision or change", "layers", "MACs"), rows))


def _named(name: str, found: Counter[str], macs: Counter[str]) -> str:
    share = f", {short(macs[name] / macs.total(), 'share')} of MACs" if macs[name] else ""
    return f"{name}: {counted(found[name], 'layer')}{share}"


def _strips(layers: Sequence[LayerFacts]) -> list[tuple[str, Callable[[LayerFacts], float]]]:
    strips: list[tuple[str, Callable[[LayerFacts], float]]] = [("layers in order", lambda each: 1)]
    if any(each.macs for each in layers):
        strips.append(("the same, as wide as their MACs", lambda each: each.macs or 0))
    return strips


def _draw_strip(
    canvas: Canvas,
    y: float,
    title: str,
    layers: Sequence[LayerFacts],
    size: Callable[[LayerFacts], float],
) -> float:
    canvas.text(canvas.left, y + 6, title, "soft small")
    total, x = sum(map(size, layers)), float(canvas.left)
    for precision, run in groupby(layers, key=lambda each: each.precision):
        here = list(run)
        width = canvas.inner * sum(map(size, here)) / total
        tip = f"{precision}: {here[0].name}"
        if len(here) > 1:
            tip += f" to {here[-1].name}, {len(here):,} layers"
        canvas.rect(x, y + 12, width, STRIP, f"f{COLORS[precision]}", tip)
        x += width
    return y + STRIP + 26


def _draw_stored(canvas: Canvas, y: float, inspection: Inspection) -> float:
    """Draw the bytes of stored weights by type."""
    stored = {name: size for name, size in (inspection.weight_bytes or {}).items() if size}
    if not stored:
        return y - 12
    total, x = sum(stored.values()), float(canvas.left)
    said = ", ".join(f"{name} {format_bytes(size)}" for name, size in [*stored.items()][:4])
    said = fit(f"weights as stored: {said}", canvas.inner, 11)
    canvas.text(canvas.left, y + 6, said, "soft small")
    for name, size in stored.items():
        width = canvas.inner * size / total
        number = COLORS.get(_short(name), OTHER)
        canvas.rect(x, y + 12, width, STRIP / 2, f"f{number}", f"{name}: {format_bytes(size)}")
        x += width
    return y + 12 + STRIP / 2


def _short(dtype: str) -> str:
    """Return the precision of an element type: ``float16`` is fp16, ``uint8`` is int8."""
    if dtype == "bfloat16":
        return "bf16"
    if dtype.startswith("float"):
        return f"fp{dtype[5:].split('e')[0]}"
    return dtype.removeprefix("u")
