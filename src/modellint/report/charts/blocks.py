"""Parameters and MACs by block, or by the parts of a language model."""

from __future__ import annotations

from modellint.base.text import quantity, work
from modellint.base.units import format_bytes
from modellint.report.charts.bars import Bar, BarRow, Panel, draw_bars
from modellint.report.charts.canvas import WIDTH, Canvas
from modellint.report.charts.chart import Chart, ChartTable
from modellint.report.charts.layers import LayerGroup, by_block
from modellint.report.charts.scales import short
from modellint.results.inspection import Inspection, LanguageModel

MOST = 26


def blocks(inspection: Inspection, width: int = WIDTH) -> Chart | None:
    groups = by_block(inspection, MOST)
    if len(groups) > 1:
        return _of_graph(groups, width)
    return _of_parts(inspection.llm, width) if inspection.llm is not None else None


def _of_graph(groups: list[LayerGroup], width: int) -> Chart | None:
    figures = [
        (
            group,
            int(group.sum(lambda each: each.parameters)),
            int(group.sum(lambda each: each.macs)),
        )
        for group in groups
    ]
    parameters, macs = sum(each[1] for each in figures), sum(each[2] for each in figures)
    if not parameters and not macs:
        return None
    heaviest = max(figures, key=lambda each: each[1])
    says = (
        f"{heaviest[0].name} has {short(heaviest[1] / parameters, 'share')} of the parameters"
        if parameters
        else ""
    )
    if macs:
        busiest = max(figures, key=lambda each: each[2])
        doing = f"{short(busiest[2] / macs, 'share')} of the MACs"
        if busiest is heaviest and says:
            says += f" and does {doing}"
        else:
            says += f"{'; ' if says else ''}{busiest[0].name} does {doing}"
    canvas = Canvas("blocks", "Parameters and MACs by block", f"{says}.", width)
    bottom = draw_bars(
        canvas,
        [Panel(f"parameters, {quantity(parameters)}"), Panel(f"MACs, {work(macs)}")],
        [
            BarRow(
                group.name,
                [
                    Bar([(own, 1)], quantity(own), _tip(group)) if own else None,
                    Bar([(done, 2)], work(done), _tip(group)) if done else None,
                ],
            )
            for group, own, done in figures
        ],
    )
    table = [(group.name, f"{own:,}", f"{done:,}") for group, own, done in figures]
    return canvas.chart(bottom, ChartTable(("block", "parameters", "MACs"), table))


def _tip(group: LayerGroup) -> str:
    first, last = group.layers[0].name, group.layers[-1].name
    return f"{group.name}: {len(group.layers):,} nodes, {first} to {last}"


def _of_parts(model: LanguageModel, width: int) -> Chart | None:
    parts = [part for part in model.parts if part.parameters]
    if not parts:
        return None
    largest = max(parts, key=lambda each: each.parameters)
    layers = sum(kind.count for kind in model.layers)
    total = sum(part.parameters for part in parts)
    share = short(largest.parameters / total, "share")
    says = f"{layers} layers; {largest.name} has {share} of the {quantity(total)} parameters."
    canvas = Canvas("blocks", "Parameters by part", says, width)
    bottom = draw_bars(
        canvas,
        [Panel("parameters"), Panel("bytes"), Panel("bits of each", 0.5)],
        [
            BarRow(
                part.name,
                [
                    Bar([(part.parameters, 1)], quantity(part.parameters)),
                    Bar([(part.bytes, 4)], format_bytes(part.bytes)),
                    Bar([(part.bits, 7)], f"{part.bits:.3g}") if part.bits else None,
                ],
            )
            for part in parts
        ],
    )
    table = [
        (part.name, f"{part.parameters:,}", f"{part.bytes:,}", f"{part.bits or 0:.3g}")
        for part in parts
    ]
    return canvas.chart(bottom, ChartTable(("part", "parameters", "bytes", "bits"), table))
