"""Flow of MACs from the model through its blocks to its operators."""

from __future__ import annotations

from collections import defaultdict

from modellint.base.text import work
from modellint.report.charts.canvas import WIDTH, Canvas, color
from modellint.report.charts.chart import Chart, ChartTable
from modellint.report.charts.layers import OTHERS, by_block, kind_of
from modellint.report.charts.measure import fit, width_of
from modellint.report.charts.scales import short
from modellint.results.inspection import Inspection

HEIGHT = 340
NODE = 12
GAP = 5
MOST_BLOCKS, MOST_OPS = 20, 7
SMALL = 0.004
"""Share of the MACs below which a block or an operator is put with others."""
LABEL = 15


def sankey(inspection: Inspection, width: int = WIDTH) -> Chart | None:
    flows, total = _flows(inspection)
    if not total or len({block for block, _ in flows}) < 2:
        return None
    blocks, ops = _sums(flows, 0), _sums(flows, 1)
    op, most = max(ops.items(), key=lambda each: each[1])
    says = f"{work(total)} MACs, of which {op} does {short(most / total, 'share')}."
    canvas = Canvas("flow", "MACs by block and operator", says, width)
    top = canvas.top + 4
    space = HEIGHT - GAP * (max(len(blocks), len(ops)) - 1)
    scale = space / total
    names = min(max(width_of(name) for name in blocks) + 2, canvas.inner * 0.24)
    figures = max(width_of(f"{name} {short(size / total, 'share')}") for name, size in ops.items())
    left = canvas.left + names + 12 + width_of(">99.9%")
    right = canvas.right - min(figures, canvas.inner * 0.3) - NODE - 10
    lefts = _places(blocks, top, scale)
    rights = _places(ops, top + (HEIGHT - _height(ops, scale)) / 2, scale)
    colors = {name: 10 if name == OTHERS else color(at) for at, name in enumerate(ops)}
    used: dict[tuple[int, str], float] = defaultdict(float)
    for (block, op), macs in flows.items():
        height = macs * scale
        one = lefts[block] + used[0, block]
        other = rights[op] + used[1, op]
        used[0, block] += height
        used[1, op] += height
        tip = f"{block}, {op}: {work(macs)} MACs, {short(macs / total, 'share')}"
        cls = f"f{colors[op]} flow"
        canvas.ribbon((left + NODE, one), (right, other), max(height, 0.6), cls, tip)
    for name, size in blocks.items():
        canvas.rect(left, lefts[name], NODE, max(size * scale, 1), "f10", f"{name}: {work(size)}")
    for name, size in ops.items():
        tip = f"{name}: {work(size)}"
        canvas.rect(right, rights[name], NODE, max(size * scale, 1), f"f{colors[name]}", tip)
    _label(canvas, lefts, blocks, total, scale, left - 8, names)
    _label(canvas, rights, ops, total, scale, right + NODE + 8, None)
    table = [(b, o, f"{macs:,}", short(macs / total, "share")) for (b, o), macs in flows.items()]
    head = ("block", "operator", "MACs", "share")
    return canvas.chart(top + HEIGHT, ChartTable(head, table))


def _flows(inspection: Inspection) -> tuple[dict[tuple[str, str], int], int]:
    """Return the MACs of each block and operator; those of little work are put together."""
    groups = by_block(inspection, MOST_BLOCKS)
    ops: dict[str, int] = defaultdict(int)
    for layer in inspection.every_layer or ():
        ops[kind_of(layer)] += layer.macs or 0
    total = sum(ops.values())
    known = [
        op for op in sorted(ops, key=lambda op: -ops[op])[:MOST_OPS] if ops[op] > SMALL * total
    ]
    flows: dict[tuple[str, str], int] = defaultdict(int)
    for group in groups:
        is_small = group.sum(lambda each: each.macs) <= SMALL * total
        for layer in group.layers:
            if layer.macs:
                op = kind if (kind := kind_of(layer)) in known else OTHERS
                flows[OTHERS if is_small else group.name, op] += layer.macs
    order = {op: at for at, op in enumerate([*known, OTHERS])}
    blocks = {name: at for at, name in enumerate([*(group.name for group in groups), OTHERS])}
    ordered = sorted(flows, key=lambda each: (blocks[each[0]], order[each[1]]))
    return {each: flows[each] for each in ordered}, total


def _sums(flows: dict[tuple[str, str], int], side: int) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for each, macs in flows.items():
        sums[each[side]] += macs
    return dict(sums) if side == 0 else dict(sorted(sums.items(), key=lambda each: -each[1]))


def _height(sums: dict[str, int], scale: float) -> float:
    return sum(sums.values()) * scale + GAP * (len(sums) - 1)


def _places(sums: dict[str, int], top: float, scale: float) -> dict[str, float]:
    places = {}
    for name, size in sums.items():
        places[name] = top
        top += size * scale + GAP
    return places


def _label(
    canvas: Canvas,
    places: dict[str, float],
    sums: dict[str, int],
    total: int,
    scale: float,
    x: float,
    width: float | None,
) -> None:
    """Write names next to nodes: from above, each below the one before it."""
    free = canvas.top - LABEL
    for name, size in sums.items():
        y = max(places[name] + size * scale / 2 + 4, free + LABEL)
        free = y
        share = short(size / total, "share")
        if width is None:
            canvas.text(x, y, fit(f"{name} {share}", canvas.right - x))
        else:
            canvas.text(x - width_of(">99.9%") - 6, y, fit(name, width), "", "end")
            canvas.text(x, y, share, "soft small", "end")
