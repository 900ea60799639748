"""The page of `modellint diff`: a short summary, then what is different, part by part."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from math import prod
from typing import TextIO, TypeVar

from modellint.base.text import counted, growth, percent, shorten, timing
from modellint.base.units import format_bytes
from modellint.report.diff_language import (
    BUDGETS,
    METRICS,
    PARTS,
    STATEMENTS,
    TENSORS,
    budget_rows,
    metric_rows,
    part_rows,
    statement_rows,
    tensor_rows,
)
from modellint.report.diff_overview import OverviewPage
from modellint.report.diff_run import draw_run
from modellint.report.diff_words import (
    LONGEST_VALUE,
    MOST_NUMBERS,
    NOTHING,
    TITLES,
    as_text,
    figure_text,
    not_compared,
    summary,
)
from modellint.report.options import Options
from modellint.report.page import Page
from modellint.report.table import Cell, Column, Row, figures, names, prose
from modellint.report.text import BOLD, FAIR, GOOD, LINES, POOR, SEVERITIES, Text
from modellint.results.difference import (
    DeviceDifference,
    Difference,
    FigureChange,
    FindingChange,
    FindingDifference,
    InterfaceChange,
    LanguageDifference,
    LayerPrecision,
    ModelSide,
    NodeChange,
    NodeDifference,
    Overview,
    PrecisionDifference,
    QuantizationImpact,
    SpeedBound,
    WeightChange,
    WeightDifference,
)

T = TypeVar("T")

MOST_ROWS = 8
"""Rows of one kind of change, unless the page is verbose."""
MOST_NAMES = 3

INTERFACE = (names(), names(), prose(least=30))
NODES = (names(), names("", least=12), figures(), names(least=16), prose(least=24))
_VERBS = {"~": "changed", "+": "added", "-": "removed"}
WEIGHTS = (
    names("weight"),
    names("type", drop=2),
    names("shape", drop=1),
    figures("elements changed"),
    figures("largest"),
    figures("zeros", drop=3),
)
PRECISIONS = (
    names("runs in"),
    figures("layers"),
    names(),
    figures(),
    figures("MACs"),
    names(),
    figures(),
)
LAYERS = (names("layer"), names("op", drop=1), names("precision"), prose(least=24))
FIGURES = (names(), figures("old"), figures("new"), figures("change"))
DEVICES = (
    names("device", least=12),
    names("precision", drop=2),
    figures("memory"),
    names(),
    figures(),
    figures("at least", drop=3),
    names(drop=3),
    figures(drop=3),
    names("verdict", drop=1),
)
SCORE = (figures("points"), names("for"), prose(least=30))


def write(difference: Difference, stream: TextIO, options: Options) -> None:
    DifferencePage(stream, options).draw(difference)
    stream.flush()


def write_several(
    differences: Sequence[Difference], overview: Overview, stream: TextIO, options: Options
) -> None:
    OverviewPage(stream, options).draw(overview)
    for difference in differences:
        if not difference.is_unchanged:
            write(difference, stream, options)
    stream.flush()


class DifferencePage(Page):
    """A difference for people."""

    gutter = 14

    def draw(self, difference: Difference) -> None:
        self.heading(f" {self.arrow} ".join(self._paths(difference)))
        self._sides(difference)
        self._problems(difference)
        self._summary(difference)
        if difference.is_readable:
            self._interface(difference.interface)
            if difference.nodes is not None:
                self._nodes(difference.nodes)
            if difference.weights is not None:
                self._weights(difference.weights)
            if difference.precisions is not None:
                self._precisions(difference.precisions)
            if difference.language is not None:
                self._language(difference.language)
            self._figures(difference)
            self._devices(difference.devices)
            self._section("metrics", METRICS, metric_rows(difference.metrics or (), self.words))
            self._section("budgets", BUDGETS, budget_rows(difference.budgets))
            if difference.findings is not None:
                self._findings(difference.findings)
            if difference.quantization is not None:
                self._quantization(difference.quantization)
            if difference.run is not None:
                draw_run(self, difference.run, verbose=self.options.verbose)
        self.blank()

    @property
    def arrow(self) -> str:
        return "->" if self.is_ascii else "→"

    def _paths(self, difference: Difference) -> list[str]:
        """Return both paths, shortened so that the ends of both are there."""
        room = (self.page - 4 - 4) // 2
        paths = [self.words(side.path) for side in (difference.old, difference.new)]
        return [shorten(path, room, self.glyphs.ellipsis) for path in paths]

    # What is compared

    def _sides(self, difference: Difference) -> None:
        for label, side in (("old", difference.old), ("new", difference.new)):
            self.items(label, [self.words(part) for part in _described(side)])

    def _problems(self, difference: Difference) -> None:
        for side in (difference.old, difference.new):
            for problem in side.problems:
                style = POOR if problem.fatal else FAIR
                label = "unreadable" if problem.fatal else problem.code or problem.kind
                self.field(Text(label, style), self.words(problem.message))

    def _summary(self, difference: Difference) -> None:
        self.blank()
        said = self.dotted(summary(difference))
        nodes = difference.nodes
        if difference.is_same and difference.is_readable:
            what = self._same(difference, nodes) if nodes is not None else "the same weights"
            said = what if said == NOTHING else self.dotted([what, said])
        style = POOR if difference.breaking else GOOD if difference.is_same else BOLD
        self.line(Text(said, style))

    def _same(self, difference: Difference, nodes: NodeDifference) -> str:
        found = f"{counted(nodes.matched, 'operation')} and all weights"
        kind = "no difference found" if nodes.not_compared else "the same network"
        return f"{kind}: {found}"

    # Interface

    def _interface(self, changes: Sequence[InterfaceChange]) -> None:
        breaking = [change for change in changes if change.breaking]
        listed = [c for c in changes if not c.breaking and c.aspect not in _LISTED]
        shown = self._first([*breaking, *listed])
        rows = [row for change in shown for row in self._interface_rows(change)]
        rows += self._more([*breaking, *listed], "changed")
        for aspect in _LISTED:
            for what in ("input", "output", "opset", "metadata"):
                found = [c for c in changes if (c.what, c.aspect) == (what, aspect)]
                named = [f"{c.name} {c.new or ''}" for c in found if not c.breaking]
                if named:
                    what = what if len(named) == 1 or what == "metadata" else f"{what}s"
                    rows.append(["", f"{what} {aspect}", self._listed(named)])
        self._section("interface", INTERFACE, rows)

    def _listed(self, named: Sequence[str]) -> str:
        shown = named if self.options.verbose else named[:MOST_NAMES]
        more = [f"{len(named) - len(shown)} more"] if len(named) > len(shown) else []
        names = [shorten(self.words(name.strip()), LONGEST_VALUE) for name in shown]
        return ", ".join([*names, *more])

    def _interface_rows(self, change: InterfaceChange) -> Iterator[Row]:
        old, new = change.old, change.new
        said = f"{change.aspect} {old} {self.arrow} {new}"
        if old is None or new is None:
            said = f"{change.aspect} {new or old or ''}".strip()
        label = Text("breaking" if change.breaking else "", POOR)
        yield [label, f"{change.what} {self.words(change.name)}", self.words(said)]
        if change.why:
            yield ["", "", self.words(change.why)]

    # Nodes

    def _nodes(self, nodes: NodeDifference) -> None:
        rows = list(self._node_rows(nodes))
        self._section("nodes", NODES, rows)
        self._under("nodes", self._node_facts(nodes), is_first=not rows)

    def _node_rows(self, nodes: NodeDifference) -> Iterator[Row]:
        """Iterate over rows, one for each kind of change: they repeat with a model's blocks."""
        rows: list[tuple[str, str, str, str]] = [
            ("~", each.new.op_type, each.new.name, self._detail(each)) for each in nodes.changed
        ]
        rows += [
            ("~", f"{p.old.op_type} {self.arrow} {p.new.op_type}", p.new.name, "in the same place")
            for p in nodes.replaced
        ]
        rows += [("+", place.op_type, place.name, "") for place in nodes.added]
        rows += [("-", place.op_type, place.name, "") for place in nodes.removed]
        alike = self._alike(rows, lambda row: (row[0], row[1], row[3]))
        for mark in "~+-":
            found = [each for each in alike if each[0][0] == mark]
            for (_, op_type, name, detail), count in self._first(found):
                yield [*self._mark(mark), op_type, self._times(count), self.words(name), detail]
            yield from self._more(found, _VERBS[mark])

    def _alike(self, items: Iterable[T], key: Callable[[T], Hashable]) -> list[tuple[T, int]]:
        """Return the first of items that are alike, and how many there are; all if verbose."""
        if self.options.verbose:
            return [(item, 1) for item in items]
        groups: dict[Hashable, list[T]] = {}
        for item in items:
            groups.setdefault(key(item), []).append(item)
        return [(group[0], len(group)) for group in groups.values()]

    def _times(self, count: int) -> str:
        return f"{self.glyphs.times}{count:,}" if count > 1 else ""

    def _detail(self, change: NodeChange) -> str:
        parts = [
            f"{each.name} {as_text(each.old)} {self.arrow} {as_text(each.new)}"
            for each in change.attributes
        ]
        parts += [
            f"input {each.index} is {each.new} instead of {each.old}" for each in change.inputs
        ]
        return self.words("; ".join(parts))

    def _node_facts(self, nodes: NodeDifference) -> Iterator[str]:
        same = nodes.matched - len(nodes.changed)
        facts = [f"{counted(same, 'operation')} unchanged"]
        if nodes.renamed:
            facts.append(f"{nodes.renamed:,} renamed")
        if nodes.reordered:
            facts.append("in another order")
        yield ", ".join(facts)
        for each in nodes.rewritten:
            forms = f"{' + '.join(each.old)} {self.arrow} {' + '.join(each.new)}"
            yield f"written differently: {each.count:,} {self.glyphs.times} {forms}"
        for verb, counts in (("fewer", nodes.plumbing_removed), ("more", nodes.plumbing_added)):
            if counts:
                listed = ", ".join(f"{count:,} {op}" for op, count in _largest(counts))
                yield f"copies, conversions and shape arithmetic, {verb}: {listed}"
        if nodes.folded:
            listed = ", ".join(f"{count:,} {op}" for op, count in nodes.folded.items())
            yield f"now the range of a quantizer: {listed}"
        if nodes.not_compared:
            yield not_compared(nodes)

    # Weights

    def _weights(self, weights: WeightDifference) -> None:
        rows = [self._weight_row(change) for change in self._first(weights.changed)]
        rows += self._more(weights.changed, "changed")
        for mark, stored in (("+", weights.added), ("-", weights.removed)):
            rows += [
                [f"{mark} {self.words(each.name)}", each.dtype, _dims(each.shape)]
                for each in self._first(stored)
            ]
            rows += self._more(stored, "added" if mark == "+" else "removed")
        columns = WEIGHTS if weights.changed else [names("weight"), names("type"), names("shape")]
        self._section("weights", columns, rows)
        self._under("weights", self._weight_facts(weights), is_first=not rows)

    def _weight_row(self, change: WeightChange) -> Row:
        types = dict.fromkeys(change.dtype)
        shapes = dict.fromkeys(map(_dims, change.shape))
        elements = prod(change.shape[1])
        share = None if change.changed is None else change.changed / max(elements, 1)
        sparsity = change.sparsity
        zeros = "" if sparsity is None else f"{sparsity[0]:.0%} {self.arrow} {sparsity[1]:.0%}"
        return [
            self.words(change.name),
            f" {self.arrow} ".join(types),
            f" {self.arrow} ".join(shapes),
            _percent(share),
            "" if change.largest is None else f"{change.largest:.2%}",
            zeros if sparsity and sparsity[0] != sparsity[1] else "",
        ]

    def _weight_facts(self, weights: WeightDifference) -> Iterator[str]:
        facts = [f"{weights.equal:,} of {weights.matched:,} equal"] if weights.equal else []
        if weights.sampled:
            facts.append(f"{weights.sampled:,} of them as far as samples tell")
        facts += [f"{count:,} {t.replace('->', self.arrow)}" for t, count in weights.types.items()]
        if weights.renamed:
            facts.append(f"{weights.renamed:,} renamed")
        if facts:
            yield ", ".join(facts)

    # Precisions

    def _precisions(self, precisions: PrecisionDifference) -> None:
        rows: list[Row] = [
            [
                each.precision,
                f"{each.old:,}",
                self.arrow,
                f"{each.new:,}",
                _percent(each.old_macs),
                self.arrow if each.new_macs is not None else "",
                _percent(each.new_macs),
            ]
            for each in precisions.shares
        ]
        self._section("precision", PRECISIONS, rows)
        left = [self._layer_row(layer) for layer in self._first(precisions.left)]
        left += self._more(precisions.left, "left in floats")
        if left:
            self._section("in floats", LAYERS, left)

    def _layer_row(self, layer: LayerPrecision) -> Row:
        return [self.words(layer.layer), layer.op_type, layer.new, self.words(layer.why)]

    # Language models

    def _language(self, language: LanguageDifference) -> None:
        self._section("architecture", STATEMENTS, statement_rows(language, self.words))
        self._section("parts", PARTS, part_rows(language, self.arrow))
        rows = list(tensor_rows(language.tensors, self.words, self.arrow))
        shown = [*self._first(rows), *self._more(rows, "changed")]
        self._section("tensors", TENSORS, shown)
        same = [each for each in language.tensors if each.change == "same"]
        if same:
            sampled = " as far as samples tell" if any(each.is_sample for each in same) else ""
            count = counted(sum(each.count for each in same), "tensor")
            self._under("tensors", [f"{count} unchanged{sampled}"], is_first=not rows)

    # Figures

    def _figures(self, difference: Difference) -> None:
        rows = [self._figure(each) for each in difference.figures if each.old != each.new]
        rows += [
            [f"{each.kind} blocks", f"{each.old:,}", f"{each.new:,}", ""]
            for each in difference.blocks
            if each.old != each.new
        ]
        self._section("figures", FIGURES, rows)

    def _figure(self, change: FigureChange) -> Row:
        shown = [figure_text(change, value) for value in (change.old, change.new)]
        return [TITLES.get(change.name, change.name), *shown, growth(change.old, change.new)]

    def _devices(self, devices: Sequence[DeviceDifference]) -> None:
        rows = [self._device(device) for device in devices if device.target is not None]
        self._section("devices", DEVICES, rows)

    def _device(self, device: DeviceDifference) -> Row:
        times = [_seconds(value) for value in device.seconds]
        verdicts = [each or "unknown" for each in device.verdict]
        styles = {"fits": GOOD, "tight": FAIR, "does not fit": POOR}
        changed = f" {self.arrow} ".join(dict.fromkeys(verdicts))
        return [
            self.words(device.device or device.target or ""),
            f" {self.arrow} ".join(dict.fromkeys(device.precision)),
            format_bytes(device.memory[0]),
            self.arrow,
            format_bytes(device.memory[1]),
            times[0],
            self.arrow if all(times) else "",
            times[1],
            Text(changed, styles.get(verdicts[1], "")),
        ]

    # Findings

    def _findings(self, findings: FindingDifference) -> None:
        rows: list[Row] = []
        for mark, found in (("+", findings.new), ("-", findings.gone)):
            alike = self._alike(sorted(found, key=_severity), lambda f: (f.code, f.severity))
            rows += [self._finding_row(mark, each, count) for each, count in self._first(alike)]
            rows += self._more(alike, "new" if mark == "+" else "gone")
        columns = (names(), names(), names(), figures(), prose(least=40))
        self._section("findings", columns, rows)
        facts = [f"{findings.still:,} in both models"] if findings.still else []
        if not findings.reads_weights:
            facts.append("without rules that read weights, for the size of the models")
        if facts:
            self._under("findings", facts, is_first=not rows)

    def _finding_row(self, mark: str, finding: FindingChange, count: int) -> Row:
        severity = Text(finding.severity, SEVERITIES[finding.severity])
        marked = self._mark(mark, is_bad=mark == "+")
        said = self.words(finding.message)
        return [*marked, severity, finding.code, self._times(count), said]

    # Quantization

    def _quantization(self, impact: QuantizationImpact) -> None:
        self.blank()
        layers = f"{impact.integer_layers:,} of {counted(impact.layers, 'layer')} in integers"
        said = [f"{impact.method}: {layers}"]
        if impact.integer_macs is not None:
            said.append(f"{impact.integer_macs:.0%} of MACs")
        if impact.compression is not None:
            said.append(f"weights {impact.compression:.1f}{self.glyphs.times} smaller")
        self.items("quantized", said)
        for bound in impact.speed:
            self.field("", self._speed(bound))
        for obstacle in impact.obstacles[:MOST_ROWS]:
            self.field("", Text(self.words(obstacle), FAIR))
        rows: list[Row] = [
            [f"{part.points} of {part.weight}", part.name, self.words(part.says)]
            for part in impact.parts
        ]
        rows.append([Text(f"{impact.score} of 100", BOLD), Text("efficiency", BOLD), ""])
        for line in self.rows(SCORE, rows, self.page - self.gutter):
            self.beside("", line)

    def _speed(self, bound: SpeedBound) -> str:
        times = f"{_seconds(bound.old)} {self.arrow} {_seconds(bound.new)}"
        return f"{self.words(bound.device)}: at least {times} by its peak rates"

    # Parts of pages

    def _section(
        self, label: str, columns: Sequence[Column], rows: Sequence[Row], count: int = 0
    ) -> None:
        if not rows:
            return
        self.blank()
        for line in self.rows(columns, rows, self.page - self.gutter):
            self.beside(label, line)
            label = ""
        if count > len(rows):
            self.beside("", Text(f"and {count - len(rows):,} more", LINES))

    def _under(self, label: str, facts: Iterable[str], *, is_first: bool) -> None:
        """Print facts below a section, or instead of one that has no rows."""
        if is_first:
            self.blank()
        else:
            label = ""
        for fact in facts:
            for line in Text(self.words(fact)).wrapped(self.page - self.gutter):
                self.beside(label, line)
                label = ""

    def _first(self, items: Sequence[T]) -> Sequence[T]:
        return items if self.options.verbose else items[:MOST_ROWS]

    def _more(self, items: Sequence[T], verb: str) -> list[Row]:
        more = len(items) - len(self._first(items))
        return [["", Text(f"{more:,} more {verb}", LINES)]] if more else []

    def _mark(self, mark: str, *, is_bad: bool | None = None) -> list[Cell]:
        styles = {"+": GOOD, "-": POOR, "~": FAIR}
        style = styles[mark] if is_bad is None else POOR if is_bad else GOOD
        return [Text(mark, style)]


_LISTED = ("added", "removed")


def _described(side: ModelSide) -> list[str]:
    opsets = side.opsets
    main = opsets.get("ai.onnx")
    others = len(opsets) - (main is not None)
    return [
        part
        for part in (
            side.format,
            side.producer or "",
            f"opset {main}" if main is not None else "",
            f"{counted(others, 'other domain')}" if others else "",
            counted(side.nodes, "node") if side.nodes is not None else "",
        )
        if part
    ]


def _dims(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "scalar"


def _percent(share: float | None) -> str:
    return "" if share is None else percent(share, 0)


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else timing(seconds)


def _severity(finding: FindingChange) -> int:
    return list(SEVERITIES).index(finding.severity)


def _largest(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda each: -each[1])[:MOST_NUMBERS]
