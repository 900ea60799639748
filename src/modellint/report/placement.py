"""Placement of a model's nodes on the units of a device: `inspect --placement`."""

from __future__ import annotations

from collections.abc import Sequence

from modellint.base.text import counted, quantity
from modellint.base.units import format_bytes
from modellint.report.page import HEADING, Page
from modellint.report.table import Row, figures, names, prose
from modellint.report.text import FAIR, GOOD, LINES, POOR, Text
from modellint.results.inspection import Crossing, LeftNodes, Placed, PlacedPart, Saving

MOST_ROWS = 10
BAR = 20
UNITS = (names("unit"), figures("nodes"), figures("MACs"), names(drop=1))
PARTS = (
    figures("part"),
    names("unit"),
    figures("nodes"),
    figures("MACs"),
    names("first"),
    names("last", drop=1),
)
LEFT = (names("op"), figures("nodes"), prose("why", least=30), names("first", drop=1))
CROSSINGS = (figures("bytes"), names("from"), names("to"), names("value"), names("for", drop=1))


class PlacementPage(Page):
    def draw(self, where: str, placed: Placed) -> None:
        """Print one deployment; a verbose page shows all rows."""
        self._headline(where, placed)
        self._units(placed)
        self._left(placed)
        self._savings(placed.savings, placed)
        self._parts(placed.parts)
        self._crossings(placed)

    def _headline(self, where: str, placed: Placed) -> None:
        title = Text(f"Placement on {self.words(where)}", HEADING)
        unit = self.words(placed.accelerator)
        if not placed.partitions:
            said = Text(f"{unit}: nothing runs on it", POOR)
        elif len(placed.nodes) == 1:
            said = Text(f"{unit}: all of it", GOOD)
        else:
            parts = counted(placed.partitions, "part")
            if placed.most_partitions is not None:
                parts += f", of {placed.most_partitions} that a core loads"
            said = Text(f"{unit}: {parts}", FAIR if placed.partitions == 1 else POOR)
        basis = "measured" if placed.measured else "published"
        runtime = self.words(f"{placed.runtime} {placed.version or ''}".strip())
        self.line(title, "  ", said, f" ({basis} for {runtime})")

    def _units(self, placed: Placed) -> None:
        bar = "#" if self.is_ascii else "█"
        rows: list[Row] = []
        for unit, nodes in placed.nodes.items():
            share = placed.macs.get(unit, 0.0) if placed.macs else None
            drawn = "" if share is None else bar * round(BAR * share)
            percent = "?" if share is None else f"{share:.1%}"
            rows.append([self.words(unit), f"{nodes:,}", percent, Text(drawn, LINES)])
        self.blank()
        self.table(UNITS, rows, indent=self.indent + 2)

    def _left(self, placed: Placed) -> None:
        left: Sequence[LeftNodes] = placed.left
        if not left:
            return
        most = len(left) if self.options.verbose else MOST_ROWS
        rows = [
            [self.words(one.op), f"{one.nodes:,}", self.words(one.reason), self.short(one.first)]
            for one in left[:most]
        ]
        self.blank()
        self.table(LEFT, rows, indent=self.indent + 2)
        self._more(len(left) - most)

    def _savings(self, savings: Sequence[Saving], placed: Placed) -> None:
        if not savings:
            return
        self.blank()
        self.line(Text("Effect of single changes", HEADING))
        for number, saving in enumerate(savings, start=1):
            arrow = "to" if self.is_ascii else "→"
            after = counted(saving.partitions, "part")
            effect = Text(f"{placed.partitions} {arrow} {after}", GOOD)
            self.item(f"{number}. ", f"{self._saving(saving)}, ", effect)

    def _saving(self, saving: Saving) -> str:
        if saving.cause == "open-dims":
            return f"{counted(saving.nodes, 'node')} with open dims; if they were fixed"
        which = f"'{self.short(saving.first)}'"
        if saving.nodes > 1:
            which = f"({counted(saving.nodes, 'node')})"
        return f"{self.words(saving.op)} {which} {self.words(saving.reason)}; if it were supported"

    def _parts(self, parts: Sequence[PlacedPart]) -> None:
        if len(parts) < 2:
            return
        most = len(parts) if self.options.verbose else MOST_ROWS
        rows = [
            [
                f"{number}",
                self.words(part.unit),
                f"{part.nodes:,}" if part.nodes else "pieces",
                "?" if part.macs is None else quantity(part.macs),
                self.short(part.first),
                self.short(part.last),
            ]
            for number, part in enumerate(parts[:most], start=1)
        ]
        self.blank()
        self.table(PARTS, rows, indent=self.indent + 2)
        self._more(len(parts) - most)

    def _crossings(self, placed: Placed) -> None:
        crossings: Sequence[Crossing] = placed.boundaries
        if not crossings:
            return
        largest = sorted(crossings, key=lambda each: -(each.bytes or 0))
        most = len(largest) if self.options.verbose else MOST_ROWS
        rows = [
            [
                "?" if each.bytes is None else format_bytes(each.bytes),
                self.words(each.source),
                self.words(each.reader),
                self.short(each.value),
                self.short(each.node),
            ]
            for each in largest[:most]
        ]
        total = placed.crossing_bytes
        size = "" if total is None else f", {format_bytes(total)} in each run"
        self.blank()
        self.line(f"{counted(len(crossings), 'value')} copied between units{size}")
        self.table(CROSSINGS, rows, indent=self.indent + 2)
        self._more(len(largest) - most)

    def _more(self, rest: int) -> None:
        if rest > 0:
            self.line(f"  and {rest:,} more")
