"""Memory and time of a model: one device in full, or one row per device."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from modellint.base.records import dataclass
from modellint.base.text import cells, counted, percent, shorten, work
from modellint.base.units import format_bytes
from modellint.report.inspect_sweep import SweepPage
from modellint.report.page import LABEL
from modellint.report.table import figures, names
from modellint.report.text import FAIR, GOOD, LINES, PLAIN, POOR, Style, Text
from modellint.results.inspection import (
    Cell,
    Estimate,
    Memory,
    Roofline,
    SlowNode,
    Time,
    TimedLayer,
    Verdict,
)

ENDLESS = 1 << 20
"""Size at which the search for the largest size stops."""

BAR = 8
"""Columns of a device's bar in the table."""

VERDICTS: Mapping[Verdict | None, Style] = {
    "fits": GOOD,
    "tight": FAIR,
    "does not fit": POOR,
    None: PLAIN,
}
MARKS: Mapping[Verdict, str] = {"fits": "✓", "tight": "~", "does not fit": "✗"}
PLAIN_MARKS: Mapping[Verdict, str] = {"fits": "+", "tight": "~", "does not fit": "x"}


@dataclass(frozen=True, slots=True)
class _Segment:
    """Part of the memory bar, recognizable by its fill and its color."""

    label: str
    fill: str
    plain: str
    style: Style
    part: Callable[[Memory], Estimate]


CYAN, MAGENTA, YELLOW, GREEN, BLUE = "36", "35", "33", "32", "94"
SEGMENTS = (
    _Segment("weights", "█", "#", CYAN, lambda m: _weights(m)),
    _Segment("activations", "▓", "%", MAGENTA, lambda m: m.activations),
    _Segment("workspace", "▒", "+", YELLOW, lambda m: m.workspace),
    _Segment("in and out", "░", ":", GREEN, lambda m: m.inputs_outputs),
    _Segment("kv cache", "▞", "=", BLUE, lambda m: m.kv_cache),
    _Segment("runtime", "▚", "/", PLAIN, lambda m: m.overhead),
)


class NeedsPage(SweepPage):
    """Part of a page about the needs of a model."""

    def needs(self, estimates: Sequence[Memory], times: Mapping[str, Time | None]) -> None:
        if len(estimates) == 1:
            self._estimate(estimates[0], times.get(estimates[0].target or ""))
        elif estimates:
            self._devices(estimates, times)

    def _estimate(self, needs: Memory, time: Time | None) -> None:
        self.blank()
        self.heading(self.dotted(self._deployment(needs)))
        self._answer(needs)
        if needs.usable is not None:
            self._bar(needs)
        self._parts(needs)
        if needs.target is not None:
            self.blank()
            self.field("room for", self._room(needs))
            self.field("smallest", self._smallest(needs))
        self._peak(needs)
        if needs.roofline is not None:
            self._time(needs, needs.roofline, time)
        elif time is not None:  # of a device whose peaks are fitted, not published
            self.blank()
            self._expected(time)
        self._batches(needs)

    def _deployment(self, needs: Memory) -> list[str]:
        device = f"{needs.device} ({needs.target})" if needs.device else "any device"
        runtime = " ".join(filter(None, (needs.runtime, needs.version)))
        parts = (device, runtime, precision_in_words(needs))
        return [self.words(part) for part in parts if part]

    def _answer(self, needs: Memory) -> None:
        total = needs.total
        low_high = f"{format_bytes(total.low)} to {format_bytes(total.high)}, {total.confidence}"
        expected = format_bytes(total.expected)
        if needs.usable is None:
            said = f"{expected} expected ({low_high}), plus the runtime's own overhead"
        else:
            share = _percent(total.expected / needs.usable)
            said = f"{expected} of {format_bytes(needs.usable)} usable, {share} ({low_high})"
        if needs.cache_unknown is not None:
            said = self._at_least(needs)
        if needs.unknown_tensors:
            unknown = counted(needs.unknown_tensors, "tensor")
            said += f"; without {unknown} of unknown size"
        label = needs.verdict or "memory"
        verdict = Text(label, VERDICTS[needs.verdict] or LABEL)
        if cells(label) > self.gutter - self.indent - 2:
            self.field("memory", verdict + f": {said}")
        else:
            self.field(verdict, said)
        if needs.computes:
            units = " and ".join(needs.computes)
            self.beside("", Text(f"but the device computes only in {units}", POOR))

    def _at_least(self, needs: Memory) -> str:
        of = f" of {format_bytes(needs.usable)} usable" if needs.usable is not None else ""
        return f"at least {format_bytes(needs.total.low)}{of}, and the cache, which is not known"

    def _bar(self, needs: Memory) -> None:
        """Print a bar with each part's share of the usable memory."""
        usable = needs.usable or 0
        width = self.page - self.gutter - 2
        whole = max(usable, needs.total.expected)
        pieces: list[Text] = []
        taken = drawn = 0
        for segment in SEGMENTS:
            taken += segment.part(needs).expected
            upto = max(round(width * taken / whole), 1 if taken else 0)
            pieces.append(Text(self._fill(segment) * (upto - drawn), segment.style))
            drawn = upto
        pieces.append(Text(("." if self.is_ascii else "─") * (width - drawn), LINES))
        line = Text.of(*pieces)
        left, right = ("[", "]") if self.is_ascii else ("▕", "▏")
        if usable < whole:
            limit = round(width * usable / whole)
            mark = Text("|" if self.is_ascii else "┃", POOR)
            line = Text.of(line.part(0, limit), mark, line.part(limit, width - 1))
        self.beside("", Text.of(Text(left, LINES), line, Text(right, LINES)))

    def _fill(self, segment: _Segment) -> str:
        return segment.plain if self.is_ascii else segment.fill

    def _parts(self, needs: Memory) -> None:
        rows = [
            self._part(segment, segment.part(needs), needs)
            for segment in SEGMENTS
            if self._is_shown(segment, needs)
        ]
        total = needs.total
        sizes = (total.low, total.expected, total.high)
        if needs.cache_unknown is not None:
            rows.append([Text("  kv cache"), "", "", "", "not known"])
        label = "total" if needs.cache_unknown is None else "at least"
        rows.append(
            [Text(f"  {label}", LABEL), *(Text(format_bytes(size), LABEL) for size in sizes)]
        )
        columns = [
            names(),
            figures("low", drop=2),
            figures("expected"),
            figures("high", drop=3),
            names(drop=1),
        ]
        for line in self.rows(columns, rows, self.page - self.gutter):
            self.beside("", line)

    def _is_shown(self, segment: _Segment, needs: Memory) -> bool:
        is_unsure = segment.label == "runtime" and needs.target is not None
        always = segment.label == "weights" or (
            segment.label == "activations" and needs.cache_unknown is None
        )
        return bool(segment.part(needs).high or is_unsure or always)

    def _part(self, segment: _Segment, part: Estimate, needs: Memory) -> list[Text | str]:
        note = self._deployed_types(needs) if segment.label == "weights" else ""
        return [
            Text(self._fill(segment), segment.style) + f" {segment.label}",
            *(format_bytes(size) for size in (part.low, part.expected, part.high)),
            self.words(note or part.note or part.confidence),
        ]

    def _deployed_types(self, needs: Memory) -> str:
        """Return the main types of weights, without those of biases and shape arguments."""
        told = {
            name: size for name, size in needs.weight_bytes.items() if size * 100 > needs.weights
        }
        if len(told) == 1:
            return next(iter(told))
        return ", ".join(f"{name} {format_bytes(size)}" for name, size in told.items())

    def _room(self, needs: Memory) -> str:
        if needs.cache_unknown is not None:
            return "unknown: the cache is not included"
        if needs.verdict is None:
            return "unknown: too many tensors are not included"
        found = []
        if needs.largest_batch is not None:
            found.append(
                f"batch {_limit(needs.largest_batch)}" if needs.largest_batch else "no batch"
            )
        if needs.largest_sequence:
            found.append(f"{self.words(needs.sequence or '')} {_limit(needs.largest_sequence)}")
        return " or ".join(found)

    def _smallest(self, needs: Memory) -> str:
        if needs.target is None or needs.verdict is None:
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
        self.blank()
        room = self.page - self.gutter - 40
        node = shorten(self.words(peak.node), max(room, 20), self.glyphs.ellipsis)
        at = f"{format_bytes(peak.bytes)} of activations at {self.words(peak.op_type)} '{node}'"
        self.field("peak", at)
        rows = [
            [format_bytes(tensor.bytes), self.shape(tensor.shape), self.words(tensor.name)]
            for tensor in peak.tensors
        ]
        for line in self.rows([figures(), names(), names()], rows, self.page - self.gutter):
            self.beside("", line)

    def _time(self, needs: Memory, bound: Roofline, time: Time | None) -> None:
        self.blank()
        if time is not None:
            self._expected(time)
        at_least, at_most = self.words("≥"), self.words("≤")
        label, at_peak = ("at peak", "") if time is not None else ("time", ", at peak")
        seconds = self.seconds(bound.seconds)
        said = [f"{at_least} {seconds} per run in {_timed(needs, bound)}{at_peak}"]
        if bound.per_second is not None:
            said.append(f"{at_most} {work(bound.per_second)} per second")
        if bound.uncounted:
            said.append(f"without {counted(bound.uncounted, 'node')}")
        self.items(label, said)
        waiting = bound.memory_share
        said = [f"memory for {_percent(waiting)} of the time"]
        if bound.bottleneck == "compute":
            said = [f"arithmetic for {_percent(1 - waiting)} of the time"]
        if bound.intensity is not None:
            said.append(f"{bound.intensity:.3g} FLOPs per byte, balanced at {bound.ridge:.3g}")
        self.items("bound by", said)
        self._slowest(bound, time)

    def _expected(self, time: Time) -> None:
        """Print the expected time, its bounds, and what it consists of."""
        low, high = self.seconds(time.low), self.seconds(time.high)
        self.items(
            "time",
            [
                f"{self.seconds(time.expected)} expected ({low} to {high}, {time.confidence})",
                f"{work(time.per_second)} per second",
            ],
        )
        parts = (
            (time.parts.compute, "arithmetic"),
            (time.parts.memory, "memory"),
            (time.parts.overhead, f"launching {counted(time.kernels, 'kernel')}"),
        )
        self.items("spent on", [f"{name} {_percent(part / time.expected)}" for part, name in parts])
        if time.units:
            split = [f"{unit} {self.seconds(part)}" for unit, part in time.units.items()]
            self.items("split", split)
        if time.transfer:
            copying = self.seconds(time.transfer)
            self.field("transfer", f"{copying} to copy inputs and outputs over PCIe")

    def _slowest(self, bound: Roofline, time: Time | None) -> None:
        slow: Sequence[SlowNode | TimedLayer] = bound.slowest
        if time is not None:
            slow = sorted(time.layers, key=lambda layer: -layer.seconds)[: len(slow)]
        rows = [
            [
                _percent(each.share),
                self.seconds(each.seconds),
                self.words(each.op_type),
                each.bound,
                self.words(each.node),
            ]
            for each in slow
        ]
        columns = [figures(), figures(), names(), names(), names()]
        for at, line in enumerate(self.rows(columns, rows, self.page - self.gutter)):
            self.beside("" if at else "slowest", line)

    def shape(self, shape: Sequence[int | str | None] | None) -> str:
        """Format a shape, for example `batch×3×224×224`."""
        if shape is None:
            return "any rank"
        dims = ["?" if dim is None else self._dim(str(dim)) for dim in shape]
        return self.glyphs.times.join(dims) or "scalar"

    def _dim(self, dim: str) -> str:
        dim = self.words(dim)
        return f"({dim})" if " " in dim else dim

    def _batches(self, needs: Memory) -> None:
        if not needs.table or needs.verdict is None:
            return
        batches = [cell.batch for cell in needs.table[0].cells]
        columns = [
            names("batch"),
            *(figures(f"{batch:,}", drop=len(batches) - at) for at, batch in enumerate(batches)),
        ]
        rows = [
            [Text(row.precision, LABEL if row.chosen else PLAIN), *map(self._cell, row.cells)]
            for row in needs.table
        ]
        self.blank()
        self.table(columns, rows, title="what fits")
        legend = ", ".join(f"{mark} {verdict}" for verdict, mark in self._marks.items())
        self.print(" " * (self.indent + 2), legend)

    @property
    def _marks(self) -> Mapping[Verdict, str]:
        return PLAIN_MARKS if self.is_ascii else MARKS

    def _cell(self, cell: Cell) -> Text:
        size = "" if cell.expected is None else f"{format_bytes(cell.expected)} "
        return Text.of(size, Text(self._marks[cell.verdict or "fits"], VERDICTS[cell.verdict]))

    # Many devices

    def _devices(self, estimates: Sequence[Memory], times: Mapping[str, Time | None]) -> None:
        first = estimates[0]
        precisions = {precision_in_words(needs) for needs in estimates}
        self.blank()
        told = f"{len(estimates)} devices"
        self.heading(self.dotted([told, *(precisions if len(precisions) == 1 else ())]))
        ordered = sorted(estimates, key=_by_size)
        self.table(
            DEVICES, [self._device(needs, times.get(needs.target or "")) for needs in ordered]
        )
        self.blank()
        fitting = [needs for needs in ordered if needs.verdict == "fits"]
        said = f"fits {len(fitting)} of {len(ordered)}"
        if fitting:
            said += f"; smallest: {self.words(fitting[0].target or '')}"
        self.line(said)
        if first.total.confidence:
            self.line("Times are expected values per run; most runs are within the factor.")

    def _device(self, needs: Memory, time: Time | None) -> list[Text | str]:
        bound = needs.roofline
        share = needs.total.expected / needs.usable if needs.usable else 0.0
        filled = min(round(BAR * share), BAR)
        full, free = ("#", ".") if self.is_ascii else ("━", "─")
        batch = "" if needs.largest_batch is None else f"{needs.largest_batch:,}"
        bar = Text(full * filled, VERDICTS[needs.verdict]) + Text(free * (BAR - filled), LINES)
        return [
            self.words(needs.target or ""),
            format_bytes(needs.usable or 0),
            format_bytes(needs.total.expected),
            bar,
            Text(needs.verdict or "", VERDICTS[needs.verdict]),
            batch,
            self._device_time(bound, time),
            self._factor(time) if time is not None else "",
            bound.bottleneck if bound is not None else "",
            self.words(needs.runtime or ""),
        ]

    def _factor(self, time: Time) -> str:
        return f"{self.glyphs.times}{time.high / time.expected:.2f}"

    def _device_time(self, bound: Roofline | None, time: Time | None) -> str:
        if time is not None:
            return self.seconds(time.expected)
        return f"{self.words('≥')} {self.seconds(bound.seconds)}" if bound is not None else "?"


DEVICES = (
    names("device"),
    figures("usable"),
    figures("needs"),
    names(drop=2),
    names(),
    figures("max batch", drop=4),
    figures("time", drop=5),
    figures(drop=3),
    names("bound by", drop=3),
    names("runtime", drop=1),
)


def _by_size(needs: Memory) -> tuple[object, ...]:
    return needs.usable or 0, [
        (word, int(number or 0)) for word, number in re.findall(r"(\D*)(\d*)", needs.target or "")
    ]


def precision_in_words(needs: Memory) -> str:
    """Return what products are computed in, for example `int8 and fp16 (assumed)`."""
    assumed = " (assumed)" if "precision" in needs.assumed else ""
    names = [name + assumed * (name == needs.precision) for name in needs.computed]
    weights = needs.narrow_weights
    stored = f" with {weights} weights" if weights and weights not in needs.computed else ""
    return " and ".join(names) + stored


def _timed(needs: Memory, bound: Roofline) -> str:
    """Return what the lower bound on time is for: the device may lack the wanted precision."""
    found = [bound.precision if name == needs.precision else name for name in needs.computed]
    return " and ".join(dict.fromkeys(found))


def _weights(needs: Memory) -> Estimate:
    return Estimate(needs.weights, needs.weights, needs.weights, "derived")


def _limit(size: int) -> str:
    return f"{size:,} and more" if size >= ENDLESS else f"{size:,}"


def _percent(share: float) -> str:
    if share >= 2:
        return f"{share:,.3g}×"
    return percent(share, 0)
