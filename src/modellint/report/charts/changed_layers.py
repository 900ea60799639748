"""Two runs: the layers that take longer or less than before, and what they add up to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from modellint.base.records import dataclass
from modellint.base.text import counted
from modellint.report.charts.bars import BAR, ROW
from modellint.report.charts.canvas import WIDTH, Canvas
from modellint.report.charts.chart import Chart, ChartTable
from modellint.report.charts.layers import shared_path, without_path
from modellint.report.charts.measure import fit, width_of
from modellint.report.charts.scales import short

MOST = 16
MOST_NAME = 0.4
SLOWER, FASTER = 3, 5
"""Colors."""
LEAST_BAR = 1.5


@dataclass(frozen=True, slots=True)
class _Change:
    name: str
    before: float
    after: float
    why: str

    @property
    def delta(self) -> float:
        return self.after - self.before


def changed_layers(found: Mapping[str, Any], width: int = WIDTH) -> Chart | None:
    """Draw what `RunComparison.to_json` says of single layers."""
    changes = sorted(_changes(found), key=lambda each: -abs(each.delta))
    shown = [each for each in changes if each.delta][:MOST]
    if not shown:
        return None
    more, less = (
        math.fsum(each.delta for each in changes if (each.delta > 0) is slower)
        for slower in (True, False)
    )
    says = (
        f"Slower layers add {short(more, 'seconds')}, quicker ones save "
        f"{short(-less, 'seconds')}; the {counted(len(shown), 'layer')} with the largest "
        f"change of {len(changes):,}."
    )
    canvas = Canvas("changed-layers", "Where the time changed", says, width)
    kinds = [("takes longer", SLOWER, more), ("takes less", FASTER, less)]
    canvas.legend([(said, number) for said, number, seconds in kinds if seconds])
    bottom = _draw(canvas, shown)
    rows = [
        (each.name, short(each.before, "seconds"), short(each.after, "seconds"), each.why)
        for each in shown
    ]
    return canvas.chart(bottom, ChartTable(("layer", "before", "after", "why"), rows))


def _changes(found: Mapping[str, Any]) -> list[_Change]:
    both = [
        _Change(each["new"], each["old_seconds"], each["new_seconds"], ", ".join(each["reasons"]))
        for each in found["pairs"]
    ]
    gone = [_Change(each["name"], each["seconds"], 0.0, "only before") for each in found["lost"]]
    new = [_Change(each["name"], 0.0, each["seconds"], "only after") for each in found["added"]]
    return [*both, *gone, *new]


def _draw(canvas: Canvas, changes: Sequence[_Change]) -> float:
    """Draw bars to both sides of a line: to the right what takes longer."""
    path = shared_path([each.name for each in changes])
    named = [without_path(each.name, path) for each in changes]
    names = min(max(map(width_of, named)) + 2, canvas.inner * MOST_NAME)
    labels = [_signed(each.delta) for each in changes]
    label = max(width_of(each, 11) for each in labels) + 8
    left, right = canvas.left + names + 12, float(canvas.right)
    least, most = (pick(each.delta for each in changes) for pick in (min, max))
    below, above = max(-least, 0.0), max(most, 0.0)
    room = right - left - label * bool(below) - label * bool(above)
    scale = room / (below + above)
    middle = left + label * bool(below) + below * scale
    top, bottom = canvas.top + 4, canvas.top + 4 + len(changes) * ROW
    canvas.line(middle, top - 4, middle, bottom - 4, "rule")
    for at, (each, name, said) in enumerate(zip(changes, named, labels, strict=True)):
        y, length = top + at * ROW, max(abs(each.delta) * scale, LEAST_BAR)
        canvas.text(left - 10, y + BAR - 2, fit(name, names), "", "end")
        tip = f"{each.name}: {short(each.before, 'seconds')} → {short(each.after, 'seconds')}"
        if each.delta > 0:
            canvas.rect(middle, y, length, BAR, f"f{SLOWER}", tip)
            canvas.text(middle + length + 5, y + BAR - 2, said, "small")
        else:
            canvas.rect(middle - length, y, length, BAR, f"f{FASTER}", tip)
            canvas.text(middle - length - 5, y + BAR - 2, said, "small", "end")
    return bottom


def _signed(seconds: float) -> str:
    return f"{'+' if seconds > 0 else '−'}{short(abs(seconds), 'seconds')}"
