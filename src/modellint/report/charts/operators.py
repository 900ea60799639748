"""The number of nodes of each operator, and its share of the work."""

from __future__ import annotations

from collections import Counter

from modellint.base.text import counted, work
from modellint.report.charts.bars import Bar, BarRow, Panel, draw_bars
from modellint.report.charts.canvas import WIDTH, Canvas
from modellint.report.charts.chart import Chart, ChartTable
from modellint.report.charts.scales import short
from modellint.results.inspection import Inspection

MOST = 14


def operators(inspection: Inspection, width: int = WIDTH) -> Chart | None:
    ops = inspection.ops
    if not ops or inspection.is_of_engine:
        return None
    macs: Counter[str] = Counter()
    for layer in inspection.every_layer or ():
        macs[layer.op_type] += layer.macs or 0
    total, all_macs = sum(ops.values()), sum(macs.values())
    shown = sorted(ops, key=lambda op: (-ops[op], op))[:MOST]
    shown += [op for op in ops if op not in shown and all_macs and macs[op] > all_macs / 50]
    rest = [op for op in ops if op not in shown]
    rows = [(op, ops[op], macs[op]) for op in shown]
    if rest:
        name = f"{len(rest)} others" if len(rest) > 1 else rest[0]
        rows.append((name, sum(ops[op] for op in rest), sum(macs[op] for op in rest)))
    says = f"{counted(total, 'node')} of {counted(len(ops), 'operator')}"
    if all_macs:
        op, most = macs.most_common(1)[0]
        says += f"; {op} does {short(most / all_macs, 'share')} of the {work(all_macs)} MACs"
    canvas = Canvas("operators", "Operators", f"{says}.", width)
    panels = [Panel("nodes"), *([Panel("share of MACs", 0.7, 1.0)] if all_macs else [])]
    bottom = draw_bars(
        canvas,
        panels,
        [
            BarRow(
                op,
                [
                    Bar([(nodes, 10 if rest and at == len(rows) - 1 else 1)], f"{nodes:,}"),
                    Bar([(done / all_macs, 2)], short(done / all_macs, "share")) if done else None,
                ][: len(panels)],
            )
            for at, (op, nodes, done) in enumerate(rows)
        ],
    )
    head = ("operator", "nodes", *(("MACs",) if all_macs else ()))
    table = [(op, f"{nodes:,}", work(done))[: len(head)] for op, nodes, done in rows]
    return canvas.chart(bottom, ChartTable(head, table))
