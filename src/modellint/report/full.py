"""The report for people: findings shown in their graph, with the reason and the fix."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.style import Style
from rich.text import Text

from modellint.base.records import dataclass
from modellint.base.text import cells, counted, duration, quantity, rule_url, shorten
from modellint.base.units import format_bytes
from modellint.finding import Finding, Frame, FrameRow, ModelSummary, Result, Severity
from modellint.report.grouping import Group, Section, also, sections
from modellint.report.options import Options
from modellint.report.page import HEADING, LABEL, LINES, Page, console_for
from modellint.report.statistics import statistics

GUTTER = 9
"""Columns of the label at the left, including the gap after it."""
ROOMY = 60
"""Columns that a complete table needs."""
PROSE = 100
"""Maximum line length, for readability on wide terminals."""
NARROWEST = 8
"""Minimum width of a shortened name or type."""
UNKNOWN = "unknown"
"""Format of a file that is not a model; its finding says what it is."""
MOST_PATTERNS = 3
MOST_TABLE_ROWS = 20
MOST_SILENT_RULES = 10
"""Rules without findings shown in the statistics, for their time."""

STYLES = {
    Severity.ERROR: Style(color="red", bold=True),
    Severity.WARNING: Style(color="yellow"),
    Severity.INFO: Style(color="cyan"),
}
WORST_FIRST = sorted(Severity, reverse=True)
FIX = Style(color="green", bold=True)


def render(result: Result, options: Options) -> str:
    """Render like `write`, without color."""
    stream = io.StringIO()
    write(result, stream, options)
    return stream.getvalue()


def write(result: Result, stream: TextIO, options: Options) -> None:
    _Writer(console_for(stream, options), options).report(result)


def write_statistics(result: Result, stream: TextIO, options: Options) -> None:
    """Write the number of findings and the time of each rule."""
    writer = _Writer(console_for(stream, options), options)
    for line in writer.statistics(result):
        writer.print(line)


class _Writer(Page):
    def __init__(self, console: Console, options: Options) -> None:
        super().__init__(console)
        self.options = options
        self.page = min(console.width, PROSE + GUTTER)
        self.links = console.is_terminal and console.file.isatty()
        self.explained: set[str] = set()
        """Texts already printed: models of one folder often share problems."""

    def report(self, result: Result) -> None:
        for section in sections(result):
            if section.findings or (section.suppressed and self.options.suppressed):
                self._section(section)
        if not self.options.quiet:
            self._summary(result)

    # One file

    def _section(self, section: Section) -> None:
        self._heading(section)
        for group in section.groups:
            if self.options.quiet:
                self._title(group)
            else:
                self.blank()
                self._group(group)
        if section.suppressed and self.options.suppressed:
            self.blank()
            for finding in section.suppressed:
                self._suppressed(finding)
        self.blank()

    def _heading(self, section: Section) -> None:
        room = self.page - 4
        path = Text(shorten(self.words(section.path), room, self.glyphs.ellipsis), HEADING)
        line = self.glyphs.rule * (room - path.cell_len)
        self.print(Text(self.glyphs.rule * 2 + " ", LINES), path, Text(f" {line}", LINES))
        if section.model is not None and not self.options.quiet:
            for traits in Text(self._traits(section.model)).wrap(self.console, self.page - 3):
                if traits:
                    self.print(Text("   "), traits)

    def _traits(self, model: ModelSummary) -> str:
        traits = [self.words(model.format)] if model.format != UNKNOWN else []
        if model.nodes is not None:
            traits.append(counted(model.nodes, "node"))
        if model.parameters is not None:
            noun = "parameter" if model.parameters == 1 else "parameters"
            traits.append(f"{quantity(model.parameters)} {noun}")
        if model.weight_bytes is not None:
            traits.append(f"{format_bytes(model.weight_bytes)} of weights")
        return self.dotted(traits)

    # One finding

    def _group(self, group: Group) -> None:
        finding = group.first
        self._title(group)
        corner = self.glyphs.rule * 2
        if finding.frame is not None and finding.frame.rows:
            self._frame(finding, finding.frame)
            corner = self.glyphs.bottom
        for line in self._origin(finding).wrap(self.console, self.page - GUTTER - 3):
            self.print(self._margin(), Text(f"{corner} ", LINES), line)
            corner = "  "
        if finding.why not in self.explained or self.options.verbose:
            self._labelled("why", finding.why)
        self.explained.add(finding.why)
        self._labelled("fix", finding.fix, FIX)
        self._labelled("also", self._also(group))
        if self.options.verbose and finding.evidence:
            self._labelled("data", self._evidence(finding))

    def _title(self, group: Group) -> None:
        finding = group.first
        style = STYLES[finding.severity]
        link = Style(link=rule_url(finding.code) if self.links else None)
        message = Text.assemble(
            (self.words(finding.code), style + link), (f"  {self.words(finding.message)}", LABEL)
        )
        if self.options.quiet and group.rest:
            message.append(f" (and {len(group.rest):,} more)")
        self._paragraph(Text(str(finding.severity), style), message)

    def _suppressed(self, finding: Finding) -> None:
        said = f"{finding.code}  {finding.message} ({finding.suppressed})"
        self._paragraph(Text("hidden"), Text(self.words(said)))

    def _origin(self, finding: Finding) -> Text:
        """Return the rule's name and the deployment."""
        deployment = " on ".join(filter(None, (finding.runtime, finding.target)))
        said = [finding.rule, deployment]
        if finding.confidence:
            said.append(f"confidence: {finding.confidence}")
        return Text(self.dotted([self.words(part) for part in said if part]))

    def _also(self, group: Group) -> str:
        most = None if self.options.verbose else MOST_PATTERNS
        return also(group, most, self.glyphs.times, self.glyphs.ellipsis)

    def _evidence(self, finding: Finding) -> str:
        return ", ".join(
            self.words(f"{name} = {value}") for name, value in finding.evidence.items()
        )

    # The place in its graph

    def _frame(self, finding: Finding, frame: Frame) -> None:
        place = finding.location
        node = f"node {place.index}" if place.index is not None else ""
        graph = self.words(place.graph or "")
        room = self.page - GUTTER - len(self.glyphs.top) - len(node) - 3
        heading = ", ".join(filter(None, (shorten(graph, room, self.glyphs.ellipsis), node)))
        self.print(self._margin(), Text(f"{self.glyphs.top} {heading}".rstrip(), LINES))
        columns = _Columns.fitting(
            [self._row(row) for row in frame.rows],
            self.width - GUTTER - len(self.glyphs.bar) - 1,
            self.glyphs.ellipsis,
        )
        last_focus = max((i for i, row in enumerate(frame.rows) if row.focus), default=-1)
        style = STYLES[finding.severity]
        for at, (row, cut) in enumerate(zip(frame.rows, columns.rows, strict=True)):
            self._bar(_row_text(cut, columns, row.focus))
            if row.focus:
                note = self.words(frame.note) if at == last_focus else ""
                self._carets(cut, columns, note, style)

    def _row(self, row: FrameRow) -> FrameRow:
        return FrameRow(self.words(row.op), self.words(row.name), self.words(row.detail))

    def _carets(self, row: FrameRow, columns: _Columns, note: str, style: Style) -> None:
        """Print carets under the name, with the note next to or below them."""
        start, marks = columns.op + 2, cells(row.name)
        if not marks:
            start, marks = 0, cells(row.op)
        room = self.width - GUTTER - 2 - start
        if cells(note) + marks + 1 <= room:
            self._bar(Text(" " * start), Text("^" * marks + f" {note}".rstrip(), style))
            return
        self._bar(Text(" " * start), Text("^" * marks, style))
        if room < len("a word or two"):
            start, room = 0, room + start
        for line in Text(note, style).wrap(self.console, min(room, PROSE)):
            self._bar(Text(" " * start), line)

    def _bar(self, *parts: Text) -> None:
        self.print(self._margin(), Text(f"{self.glyphs.bar} ", LINES), *parts)

    # The end

    def _summary(self, result: Result) -> None:
        hidden = len(result.findings) - len(result.active)
        run = f"{counted(len(result.models), 'model')} in {duration(result.seconds)}"
        if not result.active:
            said = f" ({hidden:,} suppressed)." if hidden else "."
            self.print(Text(f"No findings{said}", FIX), Text(f"  {run}"))
            return
        for line in self._table(result, run, hidden):
            self.print(line)
        self.blank()
        for line in self._next(result.active).wrap(self.console, self.page):
            self.print(line)

    def _table(self, result: Result, run: str, hidden: int) -> list[Text]:
        """Return a table of files by their findings, worst first."""
        if self.width < ROOMY:
            hidden = 0
        told = [part for part in sections(result) if part.findings or part.suppressed]
        told.sort(key=lambda part: [-part.count(severity) for severity in WORST_FIRST])
        rows = [
            [
                Text(self.words(part.path)),
                *(self._count(part.count(severity), severity) for severity in WORST_FIRST),
                *([self._count(len(part.suppressed))] if hidden else ()),
            ]
            for part in told[:MOST_TABLE_ROWS]
        ]
        if more := len(told) - len(rows):
            rows.append([Text(f"{more:,} more with findings")])
        if clean := len(sections(result)) - len(told):
            rows.append([Text(f"{clean:,} without findings")])
        total = [
            Text(run, HEADING),
            *(self._count(result.count(severity), severity) for severity in WORST_FIRST),
            *([self._count(hidden)] if hidden else ()),
        ]
        heading = [
            Text("model", HEADING),
            *(Text(str(severity), STYLES[severity]) for severity in WORST_FIRST),
            *([Text("suppressed", HEADING)] if hidden else ()),
        ]
        if len(rows) == 1:
            return self._lines([heading, None, total])
        return self._lines([heading, None, *rows, None, total])

    def _count(self, number: int, severity: Severity | None = None) -> Text:
        if not number:
            return Text(self.glyphs.dot)
        return Text(f"{number:,}", STYLES[severity] if severity else "")

    def _next(self, active: Sequence[Finding]) -> Text:
        worst = max(active, key=lambda finding: finding.severity)
        hints = [
            f"`modellint rule {worst.code}` explains a rule",
            "`--write-baseline` accepts all current findings",
        ]
        return Text(f"{'; '.join(hints)}.")

    def statistics(self, result: Result) -> list[Text]:
        heading = [Text(word, HEADING) for word in ("rule", "findings", "suppressed", "time")]
        told = statistics(result)
        found = sum(bool(row.findings or row.suppressed) for row in told)
        shown = told[: found + MOST_SILENT_RULES]
        rows = [
            [
                Text(self.words(f"{row.code}  {row.rule}")),
                self._count(row.findings),
                self._count(row.suppressed),
                Text("cached" if row.seconds is None else f"{row.seconds * 1000:,.1f} ms"),
            ]
            for row in shown
        ]
        if rest := len(told) - len(shown):
            rows.append([Text(f"{rest} faster ones without findings")])
        return self._lines([heading, None, *rows])

    # Lines

    def _lines(self, rows: Sequence[Sequence[Text] | None]) -> list[Text]:
        """Lay out a table: words to the left, figures to the right; None is a separator."""
        full = [row for row in rows if row]
        widths = [
            max(row[column].cell_len for row in full if column < len(row))
            for column in range(max(map(len, full)))
        ]
        gap = 3 if self.width >= ROOMY else 2
        widths[0] = min(widths[0], max(self.page - sum(widths[1:]) - gap * (len(widths) - 1), 12))
        ruled = Text(self.glyphs.rule * (sum(widths) + gap * (len(widths) - 1)), LINES)
        return [self._line(row, widths, " " * gap) if row else ruled for row in rows]

    def _line(self, row: Sequence[Text], widths: Sequence[int], gap: str) -> Text:
        first, *figures = row
        line = Text(shorten(first.plain, widths[0], self.glyphs.ellipsis), first.style)
        line.append(" " * (widths[0] - line.cell_len))
        for cell, width in zip(figures, widths[1:], strict=False):
            line.append_text(Text.assemble(gap, " " * (width - cell.cell_len), cell))
        return line

    def _labelled(self, label: str, prose: str, style: Style = LABEL) -> None:
        if prose:
            self._paragraph(Text(label, style), Text(self.words(prose)))

    def _paragraph(self, label: Text, prose: Text) -> None:
        """Print a label in the gutter with wrapped prose next to it."""
        width = max(min(self.width - GUTTER, PROSE), 20)
        for at, line in enumerate(prose.wrap(self.console, width)):
            line.rstrip()
            gap = " " * (GUTTER - 2 - label.cell_len)
            self.print(*((Text(gap), label, Text("  ")) if at == 0 else (self._margin(),)), line)

    def _margin(self) -> Text:
        return Text(" " * GUTTER)


@dataclass(frozen=True, slots=True)
class _Columns:
    """Column widths of a frame; names are shortened first, since their ends identify them."""

    op: int
    name: int
    rows: tuple[FrameRow, ...]

    @classmethod
    def fitting(cls, rows: Sequence[FrameRow], width: int, ellipsis: str) -> _Columns:
        op = min(max(cells(row.op) for row in rows), max(width // 3, 8))
        detail = min(max(cells(row.detail) for row in rows), width // 2)
        detail = min(detail, width - op - NARROWEST - 4)
        if detail < NARROWEST:
            detail = 0
        longest = max(cells(row.name) for row in rows)
        name = min(longest, max(width - op - detail - 4, NARROWEST))
        cut = (
            FrameRow(
                shorten(row.op, op, ellipsis),
                shorten(row.name, name, ellipsis),
                shorten(row.detail, detail, ellipsis) if detail else "",
            )
            for row in rows
        )
        return cls(op, name, tuple(cut))


def _row_text(row: FrameRow, columns: _Columns, focus: bool) -> Text:
    style = LABEL if focus else Style()
    return Text.assemble(
        (_padded(row.op, columns.op), style),
        "  ",
        (_padded(row.name, columns.name), style),
        "  ",
        row.detail,
    )


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cells(text))
