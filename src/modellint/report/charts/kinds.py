"""A run's fingerprint: where its time goes, by kind of operator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from modellint.base.text import counted, listed
from modellint.report.charts.bars import Bar, BarRow, Panel, draw_bars
from modellint.report.charts.canvas import WIDTH, Canvas
from modellint.report.charts.chart import Chart, ChartTable
from modellint.report.charts.scales import short

MOST = 12
NOTABLE = 0.1


def kinds(found: Mapping[str, Any], width: int = WIDTH) -> Chart | None:
    """Draw what `RunFingerprint.to_json` says of kinds of operators."""
    shares: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for layer in found["layers"]:
        shares[layer["kind"]] += layer["share"]
        counts[layer["kind"]] += 1
    if not shares:
        return None
    most = [kind for kind, share in shares.most_common() if share >= NOTABLE]
    says = f"{counted(len(found['layers']), 'layer')}; most of the time is in {listed(most, 3)}."
    canvas = Canvas("kinds", "Time by kind of operator", says, width)
    shown = shares.most_common(MOST)
    rows = [
        BarRow(
            kind,
            [
                Bar([(share, 1)], short(share, "share")),
                Bar([(counts[kind], 10)], f"{counts[kind]:,}"),
            ],
        )
        for kind, share in shown
    ]
    bottom = draw_bars(canvas, [Panel("share of the time", 2.0), Panel("layers")], rows)
    table = [(kind, short(share, "share"), f"{counts[kind]:,}") for kind, share in shown]
    return canvas.chart(bottom, ChartTable(("kind", "share", "layers"), table))
