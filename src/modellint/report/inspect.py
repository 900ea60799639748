"""`modellint inspect` for people: one page about a model, and a table where there are devices."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

from rich.console import Console
from rich.style import Style
from rich.text import Text

from modellint.inspection import (
    Cell,
    Estimate,
    Identity,
    Inspection,
    Memory,
    Port,
    Roofline,
    Term,
    Trouble,
    Verdict,
)
from modellint.report.options import Options
from modellint.report.page import ASCII, HEADING, LABEL, LINES, Page, console_for
from modellint.report.text import byte_size, cells, clean, counted, quantity, shorten, work

WIDEST = 110
"""Columns of a page; a wider terminal only makes lines harder to follow."""
INDENT = 3
GUTTER = 15
ENDLESS = 1 << 20
"""Where the estimate gives up looking for the largest size."""
NARROWEST = 20
"""What of a name still tells something."""
MOST_PORTS = 6
MOST_NAMES = 3
MOST_OPS = 14
MOST_SIZES = 6

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
    """One part of the memory bar: seen without colour by its fill, with it by both."""

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


def render(inspection: Inspection, options: Options) -> str:
    """As `write` does, without colour."""
    stream = io.StringIO()
    write(inspection, stream, options)
    return stream.getvalue()


def write(inspection: Inspection, stream: TextIO, options: Options) -> None:
    console = console_for(stream, options)
    _Sheet(console, options).inspection(inspection)


class _Sheet(Page):
    def __init__(self, console: Console, options: Options) -> None:
        super().__init__(console)
        self.options = options
        self.page = min(self.width, WIDEST)
        self.is_plain = self.glyphs is ASCII

    def inspection(self, told: Inspection) -> None:
        self._heading([self.words(told.path)])
        for problem in told.problems:
            self._problem(problem)
        if told.is_readable:
            self._model(told)
            self._needs(told.estimates)
            self._quantization(told)
            self._profile(told)
        self.console.print()

    # What it is

    def _model(self, told: Inspection) -> None:
        for line in self._wrapped(self._identity(told), self.page - INDENT):
            self.print(Text(" " * INDENT), line)
        self.console.print()
        self._ports(told)
        self._field("parameters", self._parameters(told))
        self._field("MACs", self._macs(told))
        self._field("", self._formula(told.macs_formula or []))
        self._field("weights", self._weights(told))
        self._items("ops", self._ops(told))
        self._items("blocks", self._blocks(told))
        self._items("attention", self._attention(told))
        self._field("kv cache", self._cache(told))
        self._layers(told)

    def _identity(self, told: Inspection) -> list[str]:
        found = told.identity
        assert found is not None
        opsets = [f"{domain} {version}" for domain, version in found.opsets.items()]
        parts = [
            told.format,
            found.producer or "",
            f"opset {', '.join(opsets).removeprefix('ai.onnx ')}" if opsets else "",
            f"IR {found.ir_version}" if found.ir_version is not None else "",
            byte_size(found.file_bytes),
            self._external(found),
            counted(told.nodes, "node") if told.nodes is not None else "no graph",
            counted(told.subgraphs, "subgraph") if told.subgraphs else "",
            counted(told.functions, "function") if told.functions else "",
        ]
        return [self.words(part) for part in parts if part]

    def _external(self, found: Identity) -> str:
        if not found.external_files:
            return ""
        files = counted(found.external_files, "file")
        if found.external_missing == found.external_files:
            return f"{files} beside it missing"
        said = f"{byte_size(found.external_bytes)} in {files}"
        missing = f", {found.external_missing:,} missing" if found.external_missing else ""
        return f"{said} beside it{missing}"

    def _ports(self, told: Inspection) -> None:
        """Alike ones in one row: a decoder has its cache as dozens of inputs."""
        labelled = {"inputs": self._alike(told.inputs), "outputs": self._alike(told.outputs)}
        rows = [row for group in labelled.values() for row in group]
        lines = list(self._columns(rows, "llll", self.page - GUTTER))
        at = 0
        for label, group in labelled.items():
            for line in lines[at : at + len(group)]:
                self._beside(label, line)
                label = ""
            at += len(group)

    def _alike(self, ports: Sequence[Port] | None) -> list[list[Text]]:
        groups: dict[tuple[object, ...], list[Port]] = {}
        for port in ports or ():
            groups.setdefault((port.type, port.dtype, repr(port.shape)), []).append(port)
        rows = [self._port(group) for group in groups.values()]
        if len(rows) > MOST_PORTS and not self.options.verbose:
            rest = sum(len(group) for group in [*groups.values()][MOST_PORTS:])
            rows[MOST_PORTS:] = [[Text(f"and {rest:,} more"), Text(), Text(), Text()]]
        return rows

    def _port(self, group: Sequence[Port]) -> list[Text]:
        names, first = [self.words(port.name) for port in group], group[0]
        kind = "" if first.type == "tensor" else f"{first.type} of "
        many = len(names) > MOST_NAMES
        return [
            Text(names[0] if many else ", ".join(names)),
            Text(f"{self.glyphs.times}{len(names):,}" if many else ""),
            Text(self.words(kind + (first.dtype or "?"))),
            Text(self._shape(first.shape)),
        ]

    def _shape(self, shape: Sequence[int | str | None] | None) -> str:
        if shape is None:
            return "any rank"
        dims = ["?" if dim is None else self._dim(str(dim)) for dim in shape]
        return self.glyphs.times.join(dims) or "scalar"

    def _dim(self, dim: str) -> str:
        dim = self.words(dim)
        return f"({dim})" if " " in dim else dim

    def _parameters(self, told: Inspection) -> str:
        if told.parameters is None:
            return ""
        exact = f" ({told.parameters:,})" if told.parameters >= 1000 else ""
        return f"{quantity(told.parameters)}{exact}"

    def _macs(self, told: Inspection) -> str:
        if told.known_macs is None:
            return ""
        sizes = self._sizes(told)
        if told.macs is None:
            nodes = counted(told.uncounted or 0, "node")
            least = f"{self.words('≥')} {work(told.known_macs)}" if told.known_macs else "unknown"
            return f"{least}{sizes}; {nodes} cannot be counted"
        flops = f" ({work(told.flops)} FLOPs)" if told.flops is not None else ""
        return f"{work(told.macs)}{flops}{sizes}"

    def _sizes(self, told: Inspection) -> str:
        if not told.sizes:
            return ""
        assumed = told.assumed or {}
        stated = {name: size for name, size in told.sizes.items() if name not in assumed}
        parts = [self._listed(stated), self._listed(assumed) + " (assumed)" if assumed else ""]
        return f" for {', '.join(part for part in parts if part)}"

    def _listed(self, sizes: Mapping[str, int]) -> str:
        shown = [f"{self.words(name)} {size}" for name, size in [*sizes.items()][:MOST_SIZES]]
        more = [f"{len(sizes) - MOST_SIZES} more"] if len(sizes) > MOST_SIZES else []
        return ", ".join([*shown, *more])

    def _formula(self, terms: Sequence[Term]) -> str:
        """``= batch × sequence × (12.3 G + 1.2 M × sequence)``; nothing where no dim matters."""
        if not any(term.powers for term in terms):
            return ""
        common = [name for name in terms[0].powers if all(name in t.powers for t in terms)]
        inner = " + ".join(self._term(term, common) for term in terms)
        outer = [self.words(name) for name in reversed(common)]
        factors = [*outer, f"({inner})"] if outer and len(terms) > 1 else [inner, *outer]
        return f"= {f' {self.glyphs.times} '.join(factors)}"

    def _term(self, term: Term, common: Sequence[str]) -> str:
        powers = {name: power - (1 if name in common else 0) for name, power in term.powers.items()}
        square = "^2" if self.is_plain else "²"
        names = [
            self.words(name) + (square if power == 2 else "")
            for name, power in powers.items()
            if power
        ]
        return f" {self.glyphs.times} ".join([work(term.coefficient), *names])

    def _weights(self, told: Inspection) -> str:
        stored = told.weight_bytes or {}
        total = sum(stored.values())
        if not total:
            return "none stored"
        parts = [
            f"{self.words(name)} {byte_size(size)}" for name, size in stored.items() if size > 0
        ]
        return parts[0] if len(parts) == 1 else f"{byte_size(total)}: {', '.join(parts)}"

    def _ops(self, told: Inspection) -> list[str]:
        ops = list((told.ops or {}).items())
        most = len(ops) if self.options.verbose else MOST_OPS
        shown = [f"{self.words(name)} {count:,}" for name, count in ops[:most]]
        rest = ops[most:]
        if rest:
            nodes = counted(sum(count for _, count in rest), "node")
            shown.append(f"{nodes} of {len(rest)} other ops")
        return shown

    def _blocks(self, told: Inspection) -> list[str]:
        times = self.glyphs.times
        return [f"{block.kind} {times}{block.count}" for block in told.blocks or ()]

    def _attention(self, told: Inspection) -> list[str]:
        found = told.attention
        if found is None:
            return []
        heads = counted(found.query_heads, "head") if found.query_heads else ""
        if heads and found.kv_heads and found.kv_heads != found.query_heads:
            heads = f"{counted(found.query_heads or 0, 'query head')} on {found.kv_heads}"
        size = f"head size {found.head_size}" if found.head_size else ""
        layers = counted(found.layers, "layer")
        return [part for part in (found.variant, layers, heads, size) if part]

    def _cache(self, told: Inspection) -> str:
        found = told.kv_cache
        if found is None:
            return ""
        if found.bytes_per_token is None:
            return counted(found.layers, "layer")
        return f"{byte_size(found.bytes_per_token)} per token, {counted(found.layers, 'layer')}"

    def _layers(self, told: Inspection) -> None:
        if not told.layers:
            return
        rows = [[Text(word, LABEL) for word in _LAYER_COLUMNS]]
        for layer in told.layers:
            share = layer.macs_share
            rows.append(
                [
                    Text(self.words(layer.op_type)),
                    Text(self._shape(layer.shape)),
                    Text(f"{layer.count:,}"),
                    Text(quantity(layer.parameters)),
                    Text(byte_size(layer.weight_bytes)),
                    Text("?" if layer.macs is None else work(layer.macs)),
                    Text("" if share is None else f"{share:.1%}"),
                    Text(self.words(layer.first)),
                ]
            )
        self.console.print()
        self._table("largest layers", rows, "llrrrrrl", drop=(7, 3, 1))

    # What it needs

    def _needs(self, estimates: Sequence[Memory]) -> None:
        if len(estimates) == 1:
            self._estimate(estimates[0])
        elif estimates:
            self._devices(estimates)

    def _estimate(self, needs: Memory) -> None:
        self.console.print()
        self._heading(self._deployment(needs))
        self._answer(needs)
        if needs.usable is not None:
            self._bar(needs)
        self._parts(needs)
        if needs.target is not None:
            self.console.print()
            self._field("room for", self._room(needs))
            self._field("smallest", self._smallest(needs))
        self._peak(needs)
        if needs.roofline is not None:
            self._time(needs.roofline)
        self._batches(needs)

    def _deployment(self, needs: Memory) -> list[str]:
        device = f"{needs.device} ({needs.target})" if needs.device else "any device"
        return [self.words(part) for part in (device, needs.runtime or "", needs.precision) if part]

    def _answer(self, needs: Memory) -> None:
        total = needs.total
        low_high = f"{byte_size(total.low)} to {byte_size(total.high)}, {total.confidence}"
        expected = byte_size(total.expected)
        if needs.usable is None:
            said = f"{expected} expected ({low_high}), and what the runtime itself takes"
        else:
            share = _percent(total.expected / needs.usable)
            said = f"{expected} of {byte_size(needs.usable)} usable, {share} ({low_high})"
        if needs.unknown_tensors:
            unknown = counted(needs.unknown_tensors, "tensor")
            said += f"; without {unknown} whose size only the data decides"
        label = needs.verdict or "memory"
        if cells(label) > GUTTER - INDENT - 2:
            said, label = f"{label}: {said}", "memory"
            line = Text(said)
            line.stylize(VERDICTS[needs.verdict], 0, cells(needs.verdict or ""))
            self._paragraph(Text(label, LABEL), line)
        else:
            self._paragraph(Text(label, VERDICTS[needs.verdict] or LABEL), Text(said))

    def _bar(self, needs: Memory) -> None:
        """What each part takes of the usable memory, in columns."""
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
        self._beside("", Text.assemble((left, LINES), line, (right, LINES)))

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
                        *(Text(byte_size(size)) for size in (part.low, part.expected, part.high)),
                        Text(self.words(note)),
                    ]
                )
        total = needs.total
        rows.append(
            [
                Text("  total", LABEL),
                *(Text(byte_size(size), LABEL) for size in (total.low, total.expected, total.high)),
                Text(),
            ]
        )
        for line in self._columns(rows, "lrrrl", self.page - GUTTER, drop=(4, 1, 3)):
            self._beside("", line)

    def _deployed_types(self, needs: Memory) -> str:
        """Types that matter: biases and shape arguments are everywhere."""
        told = {
            name: size for name, size in needs.weight_bytes.items() if size * 100 > needs.weights
        }
        if len(told) == 1:
            return next(iter(told))
        return ", ".join(f"{name} {byte_size(size)}" for name, size in told.items())

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
            return "no device of its kind has room for it"
        if needs.smallest_target == needs.target:
            return "nothing smaller of its kind would do"
        return f"{self.words(needs.smallest_target)} would do"

    def _peak(self, needs: Memory) -> None:
        peak = needs.peak
        if peak is None:
            return
        self.console.print()
        room = self.page - GUTTER - 40
        node = shorten(self.words(peak.node), max(room, 20), self.glyphs.ellipsis)
        at = f"{byte_size(peak.bytes)} of activations at {self.words(peak.op_type)} '{node}'"
        self._field("peak", at)
        rows = [
            [
                Text(byte_size(tensor.bytes)),
                Text(self._shape(tensor.shape)),
                Text(self.words(tensor.name)),
            ]
            for tensor in peak.tensors
        ]
        for line in self._columns(rows, "rll", self.page - GUTTER):
            self._beside("", line)

    def _time(self, bound: Roofline) -> None:
        at_least, at_most = self.words("≥"), self.words("≤")
        said = [f"{at_least} {self._seconds(bound.seconds)} a run in {bound.precision}, at peak"]
        if bound.per_second is not None:
            said.append(f"{at_most} {work(bound.per_second)} a second")
        if bound.joules is not None:
            said.append(f"{at_most} {_energy(bound.joules)}")
        if bound.uncounted:
            said.append(f"without {counted(bound.uncounted, 'node')}")
        self.console.print()
        self._items("time", said)
        waiting = bound.memory_share
        said = [f"memory for {_percent(waiting)} of it"]
        if bound.bottleneck == "compute":
            said = [f"arithmetic for {_percent(1 - waiting)} of it"]
        if bound.intensity is not None:
            said.append(f"{bound.intensity:.3g} FLOPs a byte, in balance at {bound.ridge:.3g}")
        self._items("bound by", said)
        rows = [
            [Text(_percent(each.share)), Text(self.words(each.op_type)), Text(each.bound),
             Text(self.words(each.node))]
            for each in bound.slowest
        ]  # fmt: skip
        for at, line in enumerate(self._columns(rows, "rlll", self.page - GUTTER)):
            self._beside("" if at else "slowest", line)

    def _seconds(self, seconds: float) -> str:
        """`12 µs`, `3.4 ms`, `1.2 s`."""
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
        self._table("what fits", rows, "l" + "r" * len(batches), drop=drop)
        self.print(Text(" " * (INDENT + 2)), Text(legend))

    def _cell(self, cell: Cell) -> Text:
        marks = PLAIN_MARKS if self.is_plain else MARKS
        size = "" if cell.expected is None else f"{byte_size(cell.expected)} "
        return Text.assemble(size, (marks[cell.verdict or "fits"], VERDICTS[cell.verdict]))

    # Many devices

    def _devices(self, estimates: Sequence[Memory]) -> None:
        first = estimates[0]
        precisions = {needs.precision for needs in estimates}
        self.console.print()
        told = f"{len(estimates)} devices"
        self._heading([told, *sorted(precisions)] if len(precisions) == 1 else [told])
        rows = [[Text(word, LABEL) for word in _DEVICE_COLUMNS]]
        ordered = sorted(estimates, key=_by_size)
        rows += [self._device(needs) for needs in ordered]
        for line in self._columns(rows, "lrrllrrll", self.page - INDENT, drop=(8, 3, 7, 5, 6)):
            self.print(Text(" " * INDENT), line)
        self.console.print()
        fitting = [needs for needs in ordered if needs.verdict == "fits"]
        said = f"fits {len(fitting)} of {len(ordered)}"
        if fitting:
            said += f"; the smallest is {self.words(fitting[0].target or '')}"
        self._line(said)
        if first.total.confidence:
            self._line("Times are lower bounds from peak rates.")

    def _device(self, needs: Memory) -> list[Text]:
        bound = needs.roofline
        share = needs.total.expected / needs.usable if needs.usable else 0.0
        filled = min(round(10 * share), 10)
        full, free = ("#", ".") if self.is_plain else ("━", "─")
        batch = "" if needs.largest_batch is None else f"{needs.largest_batch:,}"
        return [
            Text(self.words(needs.target or "")),
            Text(byte_size(needs.usable or 0)),
            Text(byte_size(needs.total.expected)),
            Text.assemble((full * filled, VERDICTS[needs.verdict]), (free * (10 - filled), LINES)),
            Text(needs.verdict or "", VERDICTS[needs.verdict]),
            Text(batch),
            Text(self._seconds(bound.seconds) if bound is not None else "?"),
            Text(bound.bottleneck if bound is not None else ""),
            Text(self.words(needs.runtime or "")),
        ]

    # What was asked for besides

    def _quantization(self, told: Inspection) -> None:
        if told.quantization is None:
            return
        from modellint.report.quantization import render as drawn

        self.console.print()
        options = self.console.options.update(width=self.page - INDENT)
        shown = drawn(told.quantization, verbose=self.options.verbose)
        for line in self.console.render_lines(shown, options, pad=False):
            text = Text.assemble(*((part.text, part.style or "") for part in line))
            self.print(Text(" " * INDENT), self._encodable(text))

    def _encodable(self, text: Text) -> Text:
        if not self.is_plain:
            return text
        plain = text.plain.replace("█", "#")
        return Text(self.words(plain)) if plain.strip() else Text()

    def _profile(self, told: Inspection) -> None:
        if told.profile is None:
            return
        from modellint.report.profile import FORMS

        self.console.print()
        self._heading(["optimization profile"])
        for name, dims in (told.profile_open or {}).items():
            missing = ", ".join(self.words(dim) for dim in dims)
            self._field("open", f"{self.words(name)}: nothing gives {missing} a size")
        if told.profile_open:
            self._line("Give them with --shape INPUT=MIN..OPT..MAX, --symbol NAME=N or --batch N.")
        elif not told.profile:
            self._line("Every input has a fixed shape: no profile is needed.")
        else:
            for title, form in FORMS.items():
                self.console.print()
                self.print(Text(" " * INDENT), Text(title, HEADING))
                for line in form(told.profile, told.path).split("\n"):
                    # To be copied: neither wrapped nor shortened.
                    self.print(Text(" " * (INDENT + 2)), Text(self._code(line)))

    def _code(self, line: str) -> str:
        return clean(line).encode(self.encoding, "backslashreplace").decode(self.encoding)

    # Lines

    def _problem(self, problem: Trouble) -> None:
        style = POOR if problem.fatal or problem.kind == "internal" else FAIR
        label = "unreadable" if problem.fatal else problem.code or problem.kind
        self._paragraph(Text(label, style), Text(self.words(problem.message)))

    def _heading(self, parts: Sequence[str]) -> None:
        room = self.page - 4
        text = Text(shorten(self.dotted(parts), room, self.glyphs.ellipsis), HEADING)
        rule = self.glyphs.rule
        line = Text(f" {rule * (room - text.cell_len)}", LINES)
        self.print(Text(rule * 2 + " ", LINES), text, line)

    def _line(self, text: str) -> None:
        for line in Text(text).wrap(self.console, self.page - INDENT):
            self.print(Text(" " * INDENT), line)

    def _items(self, label: str, items: Sequence[str]) -> None:
        for line in self._wrapped(items, self.page - GUTTER):
            self._beside(label, line)
            label = ""

    def _wrapped(self, items: Sequence[str], width: int) -> Iterator[Text]:
        """Items with dots between them, on lines that break at the dots."""
        line = ""
        for item in items:
            longer = self.dotted([line, item]) if line else item
            if line and cells(longer) > width:
                yield from Text(line).wrap(self.console, width)
                longer = item
            line = longer
        yield from Text(line).wrap(self.console, width) if line else ()

    def _field(self, label: str, value: str) -> None:
        if value:
            self._paragraph(Text(label, LABEL), Text(value))

    def _paragraph(self, label: Text, value: Text) -> None:
        width = max(self.page - GUTTER, 20)
        for at, line in enumerate(value.wrap(self.console, width)):
            line.rstrip()
            self._beside(label if at == 0 else "", line)

    def _beside(self, label: str | Text, line: Text) -> None:
        """A word at the left, and text beside it."""
        word = Text(label, LABEL) if isinstance(label, str) else label
        gap = " " * max(GUTTER - INDENT - word.cell_len, 1)
        self.print(Text(" " * INDENT), word, Text(gap), line)

    def _table(
        self, label: str, rows: Sequence[Sequence[Text]], align: str, *, drop: tuple[int, ...]
    ) -> None:
        self.print(Text(" " * INDENT), Text(label, HEADING))
        for line in self._columns(rows, align, self.page - INDENT - 2, drop=drop):
            self.print(Text(" " * (INDENT + 2)), line)

    def _columns(
        self,
        rows: Sequence[Sequence[Text]],
        align: str,
        room: int,
        *,
        drop: tuple[int, ...] = (),
    ) -> Iterator[Text]:
        """Rows in columns two apart. Where room is short, words to the left give way down to a
        width that still tells something, then the columns of `drop` go, the first first."""
        if not rows:
            return
        widths = [max(row[at].cell_len for row in rows) for at in range(len(align))]
        kept = [at for at, width in enumerate(widths) if width]
        for at in (-1, *drop):
            kept = [each for each in kept if each != at]
            if _squeeze(widths, [each for each in kept if align[each] == "l"], kept, room):
                break
        for row in rows:
            line = Text()
            for each in kept:
                cell = self._shortened(row[each], widths[each])
                padding = Text(" " * (widths[each] - cell.cell_len))
                pair = (padding, cell) if align[each] == "r" else (cell, padding)
                line.append_text(Text.assemble("  " if len(line) else "", *pair))
            line.rstrip()
            line.truncate(room)
            yield line

    def _shortened(self, text: Text, width: int) -> Text:
        if text.cell_len <= width:
            return text
        return Text(shorten(text.plain, width, self.glyphs.ellipsis), text.style)


_LAYER_COLUMNS = ("op", "weight", "times", "parameters", "bytes", "MACs", "share", "first")
_DEVICE_COLUMNS = (
    "device", "usable", "needs", "", "", "largest batch", "time", "bound by", "runtime",
)  # fmt: skip


def _squeeze(widths: list[int], words: Sequence[int], kept: Sequence[int], room: int) -> bool:
    """Narrow the widest columns of words until the row fits; leave all as it was if none does."""
    tried = list(widths)
    while words:
        over = sum(tried[each] for each in kept) + 2 * (len(kept) - 1) - room
        if over <= 0:
            widths[:] = tried
            return True
        widest = max(words, key=lambda each: tried[each])
        if tried[widest] <= NARROWEST:
            return False
        tried[widest] -= 1
    return False


def _by_size(needs: Memory) -> tuple[object, ...]:
    return needs.usable or 0, [
        (word, int(number or 0)) for word, number in re.findall(r"(\D*)(\d*)", needs.target or "")
    ]


def _weights(needs: Memory) -> Estimate:
    return Estimate(needs.weights, needs.weights, needs.weights, "derived")


def _percent(share: float) -> str:
    if share >= 2:
        return f"{share:,.3g} times"
    return "< 1 %" if 0 < share < 0.01 else f"{share:.0%}".replace("%", " %")


def _energy(joules: float) -> str:
    return f"{joules:.2g} J" if joules >= 1 else f"{joules * 1e3:.2g} mJ"
