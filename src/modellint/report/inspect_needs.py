"""Memory and time of a model: one device in full, or one row per device."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from rich.style import Style
from rich.text import Text

from modellint.base.records import dataclass
from modellint.base.text import cells, counted, shorten, work
from modellint.base.units import format_bytes
from modellint.inspection import Cell, Estimate, Memory, Roofline, Verdict
from modellint.report.page import LABEL, LINES
from modellint.report.sheet import GUTTER, INDENT, Sheet

ENDLESS = 1 << 20
"""Size at which the search for the largest size stops."""

BAR = 8
"""Columns of a device's bar in the table."""

GOOD, FAIR, POOR = Style(color="green"), Style(color="yellow"), Style(color="red", bold=True)
VERDICTS: Mapping[Verdict | None, Style] = {
    "fits": GOOD,
    "tight": FAIR,
    "does not fit": POOR,
    None: Style(),
}
MARKS = {"fits": "✓", "tight": "~", "does not fit": "✗"}
PLAIN_MARKS = {"fits": "+", "tight": "~", "does not fit": "x"}


@dataclass(frozen=True, slots=True)
class _Segment:
    """Part of the memory bar, recognizable by its fill and its color."""

    label: str
    fill: str
    plain: str
    style: Style
    part: Callable[[Memory], Estimate]


SEGMENTS = (
    _Segment("weights", "█", "#", Style(color="cyan"), lambda m: _weights(m)),
    _Segment("activations", "▓", "%", Style(color="magenta"), lambda m: m.activations),
    _Segment("workspace", "▒", "+", Style(color="yellow"), lambda m: m.workspace),
    _Segment("in and out", "░", ":", Style(color="green"), lambda m: m.inputs_outputs),
    _Segment("kv cache", "▞", "=", Style(color="bright_blue"), lambda m: m.kv_cache),
    _Segment("runtime", "▚", "/", Style(), lambda m: m.overhead),
)


class NeedsSheet(Sheet):
    def draw(self, estimates: Sequence[Memory]) -> None:
        if len(estimates) == 1:
            self._estimate(estimates[0])
        elif estimates:
            self._devices(estimates)

    def _estimate(self, needs: Memory) -> None:
        self.console.print()
        self.heading(self._deployment(needs))
        self._answer(needs)
        if needs.usable is not None:
            self._bar(needs)
        self._parts(needs)
        if needs.target is not None:
            self.console.print()
            self.field("room for", self._room(needs))
            self.field("smallest", self._smallest(needs))
        self._peak(needs)
        if needs.roofline is not None:
            self._time(needs.roofline)
        self._batches(needs)

    def _deployment(self, needs: Memory) -> list[str]:
        device = f"{needs.device} ({needs.target})" if needs.device else "any device"
        return [self.words(part) for part in (device, needs.runtime or "", needs.precision) if part]

    def _answer(self, needs: Memory) -> None:
        total = needs.total
        low_high = f"{format_bytes(total.low)} to {format_bytes(total.high)}, {total.confidence}"
        expected = format_bytes(total.expected)
        if needs.usable is None:
            said = f"{expected} expected ({low_high}), plus the runtime's own overhead"
        else:
            share = _percent(total.expected / needs.usable)
            said = f"{expected} of {format_bytes(needs.usable)} usable, {share} ({low_high})"
        if needs.unknown_tensors:
            unknown = counted(needs.unknown_tensors, "tensor")
            said += f"; without {unknown} of data-dependent size"
        label = needs.verdict or "memory"
        if cells(label) > GUTTER - INDENT - 2:
            said, label = f"{label}: {said}", "memory"
            line = Text(said)
            line.stylize(VERDICTS[needs.verdict], 0, cells(needs.verdict or ""))
            self.paragraph(Text(label, LABEL), line)
        else:
            self.paragraph(Text(label, VERDICTS[needs.verdict] or LABEL), Text(said))

    def _bar(self, needs: Memory) -> None:
        """Print a bar with each part's share of the usable memory."""
        usable = needs.usable or 0
        width = self.page - GUTTER - 2
        whole = max(usable, needs.total.expected)
        line, taken, drawn = Text(), 0, 0
        for segment in SEGMENTS:
            taken += segment.part(needs).expected
            upto = max(round(width * taken / whole), 1 if taken else 0)
            fill = segment.plain if self.is_plain else segment.fill
            line.append(fill * (upto - drawn), segment.style)
            drawn = upto
        line.append(("." if self.is_plain else "─") * (width - drawn), LINES)
        left, right = ("[", "]") if self.is_plain else ("▕", "▏")
        if usable < whole:
            limit = round(width * usable / whole)
            line = Text.assemble(line[:limit], ("|" if self.is_plain else "┃", POOR), line[limit:])
            line.truncate(width)
        self.beside("", Text.assemble((left, LINES), line, (right, LINES)))

    def _parts(self, needs: Memory) -> None:
        rows = [[Text(), *(Text(word, LABEL) for word in ("low", "expected", "high", ""))]]
        for segment in SEGMENTS:
            part = segment.part(needs)
            is_unsure = segment.label == "runtime" and needs.target is not None
            if part.high or is_unsure or segment.label in ("weights", "activations"):
                fill = segment.plain if self.is_plain else segment.fill
                note = part.note or part.confidence
                if segment.label == "weights":
                    note = self._deployed_types(needs)
                rows.append(
                    [
                        Text.assemble((fill, segment.style), f" {segment.label}"),
                        *(
                            Text(format_bytes(size))
                            for size in (part.low, part.expected, part.high)
                        ),
                        Text(self.words(note)),
                    ]
                )
        total = needs.total
        rows.append(
            [
                Text("  total", LABEL),
                *(
                    Text(format_bytes(size), LABEL)
                    for size in (total.low, total.expected, total.high)
                ),
                Text(),
            ]
        )
        for line in self.columns(rows, "lrrrl", self.page - GUTTER, drop=(4, 1, 3)):
            self.beside("", line)

    def _deployed_types(self, needs: Memory) -> str:
        """Return the main types of weights, without those of biases and shape arguments."""
        told = {
            name: size for name, size in needs.weight_bytes.items() if size * 100 > needs.weights
        }
        if len(told) == 1:
            return next(iter(told))
        return ", ".join(f"{name} {format_bytes(size)}" for name, size in told.items())

    def _room(self, needs: Memory) -> str:
        found = []
        if needs.largest_batch is not None:
            found.append(f"batch {needs.largest_batch:,}" if needs.largest_batch else "no batch")
        if needs.largest_sequence:
            limit = f"{needs.largest_sequence:,}"
            if needs.largest_sequence >= ENDLESS:
                limit = f"{limit} and more"
            found.append(f"{self.words(needs.sequence or '')} {limit}")
        return " or ".join(found)

    def _smallest(self, needs: Memory) -> str:
        if needs.target is None:
            return ""
        if needs.smallest_target is None:
            return "too large for any device of this kind"
        if needs.smallest_target == needs.target:
            return "no smaller device of this kind"
        return f"{self.words(needs.smallest_target)} would suffice"

    def _peak(self, needs: Memory) -> None:
        peak = needs.peak
        if peak is None:
            return
        self.console.print()
        room = self.page - GUTTER - 40
        node = shorten(self.words(peak.node), max(room, 20), self.glyphs.ellipsis)
        at = f"{format_bytes(peak.bytes)} of activations at {self.words(peak.op_type)} '{node}'"
        self.field("peak", at)
        rows = [
            [
                Text(format_bytes(tensor.bytes)),
                Text(self.shape(tensor.shape)),
                Text(self.words(tensor.name)),
            ]
            for tensor in peak.tensors
        ]
        for line in self.columns(rows, "rll", self.page - GUTTER):
            self.beside("", line)

    def _time(self, bound: Roofline) -> None:
        at_least, at_most = self.words("≥"), self.words("≤")
        said = [f"{at_least} {self._seconds(bound.seconds)} per run in {bound.precision}, at peak"]
        if bound.per_second is not None:
            said.append(f"{at_most} {work(bound.per_second)} per second")
        if bound.joules is not None:
            said.append(f"{at_most} {_energy(bound.joules)}")
        if bound.uncounted:
            said.append(f"without {counted(bound.uncounted, 'node')}")
        self.console.print()
        self.items("time", said)
        waiting = bound.memory_share
        said = [f"memory for {_percent(waiting)} of the time"]
        if bound.bottleneck == "compute":
            said = [f"arithmetic for {_percent(1 - waiting)} of the time"]
        if bound.intensity is not None:
            said.append(f"{bound.intensity:.3g} FLOPs per byte, balanced at {bound.ridge:.3g}")
        self.items("bound by", said)
        rows = [
            [
                Text(_percent(each.share)),
                Text(self.words(each.op_type)),
                Text(each.bound),
                Text(self.words(each.node)),
            ]
            for each in bound.slowest
        ]
        for at, line in enumerate(self.columns(rows, "rlll", self.page - GUTTER)):
            self.beside("" if at else "slowest", line)

    def _seconds(self, seconds: float) -> str:
        """Format seconds as in `12 µs`, `3.4 ms`, `1.2 s`."""
        for unit, scale in (("s", 1.0), ("ms", 1e3)):
            if seconds * scale >= 1:
                return f"{seconds * scale:.3g} {unit}"
        return f"{seconds * 1e6:.3g} {'us' if self.is_plain else 'µs'}"

    def _batches(self, needs: Memory) -> None:
        if not needs.table or needs.verdict is None:
            return
        batches = [cell.batch for cell in needs.table[0].cells]
        rows = [[Text("batch", LABEL), *(Text(f"{batch:,}", LABEL) for batch in batches)]]
        for row in needs.table:
            style = LABEL if row.chosen else Style()
            rows.append([Text(row.precision, style), *map(self._cell, row.cells)])
        self.console.print()
        marks = PLAIN_MARKS if self.is_plain else MARKS
        legend = ", ".join(f"{mark} {verdict}" for verdict, mark in marks.items())
        drop = tuple(range(len(batches), 1, -1))
        self.table("what fits", rows, "l" + "r" * len(batches), drop=drop)
        self.print(Text(" " * (INDENT + 2)), Text(legend))

    def _cell(self, cell: Cell) -> Text:
        marks = PLAIN_MARKS if self.is_plain else MARKS
        size = "" if cell.expected is None else f"{format_bytes(cell.expected)} "
        return Text.assemble(size, (marks[cell.verdict or "fits"], VERDICTS[cell.verdict]))

    # Many devices

    def _devices(self, estimates: Sequence[Memory]) -> None:
        first = estimates[0]
        precisions = {needs.precision for needs in estimates}
        self.console.print()
        told = f"{len(estimates)} devices"
        self.heading([told, *sorted(precisions)] if len(precisions) == 1 else [told])
        rows = [[Text(word, LABEL) for word in _DEVICE_COLUMNS]]
        ordered = sorted(estimates, key=_by_size)
        rows += [self._device(needs) for needs in ordered]
        for line in self.columns(rows, "lrrllrrll", self.page - INDENT, drop=(8, 3, 7, 5, 6)):
            self.print(Text(" " * INDENT), line)
        self.console.print()
        fitting = [needs for needs in ordered if needs.verdict == "fits"]
        said = f"fits {len(fitting)} of {len(ordered)}"
        if fitting:
            said += f"; smallest: {self.words(fitting[0].target or '')}"
        self.line(said)
        if first.total.confidence:
            self.line("Times are lower bounds from peak rates.")

    def _device(self, needs: Memory) -> list[Text]:
        bound = needs.roofline
        share = needs.total.expected / needs.usable if needs.usable else 0.0
        filled = min(round(BAR * share), BAR)
        full, free = ("#", ".") if self.is_plain else ("━", "─")
        batch = "" if needs.largest_batch is None else f"{needs.largest_batch:,}"
        return [
            Text(self.words(needs.target or "")),
            Text(format_bytes(needs.usable or 0)),
            Text(format_bytes(needs.total.expected)),
            Text.assemble((full * filled, VERDICTS[needs.verdict]), (free * (BAR - filled), LINES)),
            Text(needs.verdict or "", VERDICTS[needs.verdict]),
            Text(batch),
            Text(self._seconds(bound.seconds) if bound is not None else "?"),
            Text(bound.bottleneck if bound is not None else ""),
            Text(self.words(needs.runtime or "")),
        ]


_DEVICE_COLUMNS = (
    "device",
    "usable",
    "needs",
    "",
    "",
    "max batch",
    "time",
    "bound by",
    "runtime",
)


def _by_size(needs: Memory) -> tuple[object, ...]:
    return needs.usable or 0, [
        (word, int(number or 0)) for word, number in re.findall(r"(\D*)(\d*)", needs.target or "")
    ]


def _weights(needs: Memory) -> Estimate:
    return Estimate(needs.weights, needs.weights, needs.weights, "derived")


def _percent(share: float) -> str:
    if share >= 2:
        return f"{share:,.3g}×"
    return "< 1 %" if 0 < share < 0.01 else f"{share:.0%}".replace("%", " %")


def _energy(joules: float) -> str:
    return f"{joules:.2g} J" if joules >= 1 else f"{joules * 1e3:.2g} mJ"
