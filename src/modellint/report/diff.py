"""The page of `modellint diff`: a short summary, then what is different, part by part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from modellint.base.text import counted, growth, shorten, timing
from modellint.base.units import format_bytes
from modellint.report.diff_contents import ContentsPage
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
from modellint.report.diff_sections import MOST_ROWS
from modellint.report.diff_words import NOTHING, TITLES, figure_text, summary
from modellint.report.options import Options
from modellint.report.table import Row, figures, names, prose
from modellint.report.text import BOLD, FAIR, GOOD, POOR, SEVERITIES, Text
from modellint.results.difference import (
    DeviceDifference,
    Difference,
    FigureChange,
    FindingChange,
    FindingDifference,
    LanguageDifference,
    ModelSide,
    NodeDifference,
    Overview,
    QuantizationImpact,
    SpeedBound,
)

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


class DifferencePage(ContentsPage):
    """A difference for people."""

    def draw(self, difference: Difference) -> None:
        self.heading(f" {self.arrow} ".join(self._paths(difference)))
        self._sides(difference)
        self._problems(difference)
        self._summary(difference)
        if difference.is_readable:
            self.draw_interface(difference.interface)
            if difference.nodes is not None:
                self.draw_nodes(difference.nodes)
            if difference.weights is not None:
                self.draw_weights(difference.weights)
            if difference.precisions is not None:
                self.draw_precisions(difference.precisions)
            if difference.language is not None:
                self._language(difference.language)
            self._figures(difference)
            self._devices(difference.devices)
            self.section("metrics", METRICS, metric_rows(difference.metrics or (), self.words))
            self.section("budgets", BUDGETS, budget_rows(difference.budgets))
            if difference.findings is not None:
                self._findings(difference.findings)
            if difference.quantization is not None:
                self._quantization(difference.quantization)
            if difference.run is not None:
                draw_run(self, difference.run, verbose=self.options.verbose)
        self.blank()

    def _paths(self, difference: Difference) -> list[str]:
        """Return both paths, shortened so that the ends of both are there."""
        room = (self.page - 4 - 4) // 2
        paths = [self.words(side.path) for side in (difference.old, difference.new)]
        return [shorten(path, room, self.glyphs.ellipsis) for path in paths]

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

    def _language(self, language: LanguageDifference) -> None:
        self.section("architecture", STATEMENTS, statement_rows(language, self.words))
        self.section("parts", PARTS, part_rows(language, self.arrow))
        rows = list(tensor_rows(language.tensors, self.words, self.arrow))
        shown = [*self.first(rows), *self.more(rows, "changed")]
        self.section("tensors", TENSORS, shown)
        same = [each for each in language.tensors if each.change == "same"]
        if same:
            sampled = " as far as samples tell" if any(each.is_sample for each in same) else ""
            count = counted(sum(each.count for each in same), "tensor")
            self.under("tensors", [f"{count} unchanged{sampled}"], is_first=not rows)

    def _figures(self, difference: Difference) -> None:
        rows = [self._figure(each) for each in difference.figures if each.old != each.new]
        rows += [
            [f"{each.kind} blocks", f"{each.old:,}", f"{each.new:,}", ""]
            for each in difference.blocks
            if each.old != each.new
        ]
        self.section("figures", FIGURES, rows)

    def _figure(self, change: FigureChange) -> Row:
        shown = [figure_text(change, value) for value in (change.old, change.new)]
        return [TITLES.get(change.name, change.name), *shown, growth(change.old, change.new)]

    def _devices(self, devices: Sequence[DeviceDifference]) -> None:
        rows = [self._device(device) for device in devices if device.target is not None]
        self.section("devices", DEVICES, rows)

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

    def _findings(self, findings: FindingDifference) -> None:
        rows: list[Row] = []
        for mark, found in (("+", findings.new), ("-", findings.gone)):
            alike = self.alike(sorted(found, key=_severity), lambda f: (f.code, f.severity))
            rows += [self._finding_row(mark, each, count) for each, count in self.first(alike)]
            rows += self.more(alike, "new" if mark == "+" else "gone")
        columns = (names(), names(), names(), figures(), prose(least=40))
        self.section("findings", columns, rows)
        facts = [f"{findings.still:,} in both models"] if findings.still else []
        if not findings.reads_weights:
            facts.append("without rules that read weights, for the size of the models")
        if facts:
            self.under("findings", facts, is_first=not rows)

    def _finding_row(self, mark: str, finding: FindingChange, count: int) -> Row:
        severity = Text(finding.severity, SEVERITIES[finding.severity])
        marked = self.mark(mark, is_bad=mark == "+")
        said = self.words(finding.message)
        return [*marked, severity, finding.code, self.times(count), said]

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


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else timing(seconds)


def _severity(finding: FindingChange) -> int:
    return list(SEVERITIES).index(finding.severity)
