"""The report for people: findings shown in their graph, with the reason and the fix."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TextIO

from modellint.base.applicability import FLAGS
from modellint.base.links import rule_url
from modellint.base.records import dataclass
from modellint.base.text import cells, counted, duration, listed, quantity, shorten
from modellint.base.units import format_bytes
from modellint.report import fix
from modellint.report.assumed import sentences
from modellint.report.grouping import (
    MOST_NAMED,
    Group,
    RuleGroups,
    Section,
    also,
    by_rule,
    sections,
)
from modellint.report.options import Options
from modellint.report.page import LABEL, Page
from modellint.report.statistics import statistics
from modellint.report.table import Column, Row, figures, names, paths
from modellint.report.text import BOLD, FIX, LINES, PLAIN, SEVERITIES, Style, Text
from modellint.results.finding import Finding, Frame, FrameRow, ModelSummary, Result, Severity

ROOMY = 60
"""Columns that a table with wide gaps needs."""
PROSE = 100
"""Maximum line length, for readability on wide terminals."""
NARROWEST = 8
"""Minimum width of a shortened name or type."""
UNKNOWN = "unknown"
"""Format of a file that is not a model; its finding says what it is."""
MOST_PATTERNS = 3
MOST_TABLE_ROWS = 20
MOST_SECTIONS = 25
"""Models with findings, above which there is a section for each rule instead."""
MOST_MODELS = 3
"""Models listed for a rule."""
MOST_FORMS = 3
"""Different messages shown for a rule."""
MOST_SILENT_RULES = 10
"""Rules without findings shown in the statistics, for their time."""

STYLES = {severity: SEVERITIES[str(severity)] for severity in Severity}
WORST_FIRST = sorted(Severity, reverse=True)


def render(result: Result, options: Options) -> str:
    """Render like `write`, without color."""
    stream = io.StringIO()
    write(result, stream, options)
    return stream.getvalue()


def write(result: Result, stream: TextIO, options: Options) -> None:
    _FullPage(stream, options).report(result)


def write_statistics(result: Result, stream: TextIO, options: Options) -> None:
    """Write the number of findings and the time of each rule."""
    _FullPage(stream, options).statistics(result)


class _FullPage(Page):
    gutter = 9
    widest = PROSE + gutter

    def __init__(self, stream: TextIO, options: Options) -> None:
        super().__init__(stream, options)
        self.explained: set[str] = set()
        self.last_fix = ""
        """Texts already printed: models of one folder often share problems."""
        self.printed = self.left = 0

    def report(self, result: Result) -> None:
        if result.fixes and not self.options.quiet:
            fix.write(result.fixes, self.stream, self.options)
            self.blank()
        told = [
            section
            for section in sections(result)
            if section.findings or (section.suppressed and self.options.suppressed)
        ]
        if self._is_by_rule(told):
            self._rules(told)
        else:
            for section in told:
                self._section(section)
        self._rest()
        if not self.options.quiet:
            self._summary(result)

    def _is_by_rule(self, told: Sequence[Section]) -> bool:
        if self.options.group_by == "auto":
            return len(told) > MOST_SECTIONS
        return self.options.group_by == "rule"

    def _is_room_for(self, group: Group | RuleGroups) -> bool:
        """Return True while fewer findings than wanted are printed; others are counted."""
        if self.options.most is not None and self.printed >= self.options.most:
            self.left += group.count
            return False
        self.printed += 1
        return True

    def _rest(self) -> None:
        if self.left and not self.options.quiet:
            self.line(Text(f"and {counted(self.left, 'more finding')}", LINES))
            self.blank()

    # One rule

    def _rules(self, told: Sequence[Section]) -> None:
        """Print a section per rule, for folders in which many models share findings."""
        code = ""
        for found in by_rule(told):
            first = found.first.first
            if not self._is_room_for(found):
                continue
            if first.code != code:
                code = first.code
                self.heading(f"{self.words(code)}  {self.words(first.rule)}")
            self._forms(found.forms)

    def _forms(self, forms: Sequence[RuleGroups]) -> None:
        """Print the most frequent in full, and of the others the message and the models."""
        shown = forms if self.options.verbose else forms[:MOST_FORMS]
        for at, form in enumerate(shown):
            self._title(form.first)
            if self.options.quiet:
                continue
            if at:
                self._models(form)
            else:
                self._body(form.first, models=form)
            self.blank()
        if left := forms[len(shown) :]:
            models = len({group.first.path for form in left for group in form.groups})
            more = f"and {counted(len(left), 'other message')} in {counted(models, 'model')}"
            self.line(Text(more, LINES))
            self.blank()

    def _models(self, found: RuleGroups) -> None:
        """Print where else a rule found the same."""
        self._model("in", found.first.first.path)
        others = list(found.others.items())
        shown = others if self.options.verbose else others[:MOST_MODELS]
        for path, count in shown:
            times = f" ({self.glyphs.times}{count:,})" if count > 1 else ""
            self._model("", f"{path}{times}")
        if more := len(others) - len(shown):
            self.beside("", Text(f"and {counted(more, 'more model')}", LINES))

    def _model(self, label: str, path: str) -> None:
        for line in Text(self.path(path)).folded(self.page - self.gutter):
            self.beside(label, line)
            label = ""

    # One file

    def _section(self, section: Section) -> None:
        groups = [group for group in section.groups if self._is_room_for(group)]
        if section.groups and not groups:
            return
        self.heading(self.path(section.path))
        self.last_fix = ""
        if section.model is not None and not self.options.quiet:
            self.line(self._traits(section.model))
        for group in groups:
            if self.options.quiet:
                self._title(group)
            else:
                self.blank()
                self._title(group)
                self._body(group)
        if section.suppressed and self.options.suppressed:
            self.blank()
            for finding in section.suppressed:
                self._suppressed(finding)
        self.blank()

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

    def _body(self, group: Group, models: RuleGroups | None = None) -> None:
        finding = group.first
        if models is not None:
            self._models(models)
        corner = self.glyphs.rule * 2
        if finding.frame is not None and finding.frame.rows:
            self._frame(finding, finding.frame)
            corner = self.glyphs.bottom
        for line in self._origin(group).wrapped(self.page - self.gutter - 3):
            self.beside("", Text.of(Text(f"{corner} ", LINES), line))
            corner = "  "
        if finding.why not in self.explained or self.options.verbose:
            self._prose("why", finding.why)
        self.explained.add(finding.why)
        if models is None or finding.fix not in self.explained:
            is_repeated = finding.fix == self.last_fix and not self.options.verbose
            self._prose("fix", "as above" if is_repeated else finding.fix, FIX)
        self.last_fix = finding.fix
        self.explained.add(finding.fix)
        self._prose("also", self._also(group))
        if self.options.verbose and finding.evidence:
            self._prose("data", self._evidence(finding))
        if self.options.verbose and (url := rule_url(finding.code)):
            self._prose("page", url)

    def _title(self, group: Group) -> None:
        finding = group.first
        style = STYLES[finding.severity]
        link = rule_url(finding.code) if self.has_color and self.is_terminal else ""
        code = Text(self.words(finding.code), style, link)
        message = code + Text(f"  {self.words(finding.message)}", LABEL)
        if self.options.quiet and group.rest:
            message += f" (and {len(group.rest):,} more)"
        self.field(Text(str(finding.severity), style), message)

    def _suppressed(self, finding: Finding) -> None:
        said = f"{finding.code}  {finding.message} ({finding.suppressed})"
        self.field(Text("hidden"), self.words(said))

    def _origin(self, group: Group) -> Text:
        """Return the rule's name and the deployments."""
        finding = group.first
        runtimes = listed(group.runtimes, MOST_NAMED)
        deployment = " on ".join(filter(None, (runtimes, group.devices)))
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
        room = self.page - self.gutter - len(self.glyphs.top) - len(node) - 3
        heading = ", ".join(filter(None, (shorten(graph, room, self.glyphs.ellipsis), node)))
        self.beside("", Text(f"{self.glyphs.top} {heading}", LINES))
        columns = _Columns.fitting(
            [self._row(row) for row in frame.rows],
            self.width - self.gutter - len(self.glyphs.bar) - 1,
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
        room = self.width - self.gutter - 2 - start
        if cells(note) + marks + 1 <= room:
            self._bar(" " * start, Text("^" * marks + f" {note}".rstrip(), style))
            return
        self._bar(" " * start, Text("^" * marks, style))
        if room < len("a word or two"):
            start, room = 0, room + start
        for line in Text(note, style).wrapped(min(room, PROSE)):
            self._bar(" " * start, line)

    def _bar(self, *parts: Text | str) -> None:
        self.print(" " * self.gutter, Text(f"{self.glyphs.bar} ", LINES), *parts)

    # The end

    def _summary(self, result: Result) -> None:
        hidden = len(result.findings) - len(result.active)
        run = f"{counted(len(result.models), 'model')} in {duration(result.seconds)}"
        if not result.active:
            said = f" ({hidden:,} suppressed)." if hidden else "."
            self.print(Text(f"No findings{said}", FIX), f"  {run}")
            self._assumed(result)
            return
        self._files(result, run)
        self._assumed(result)
        self.blank()
        for line in Text(self._next(result.active)).wrapped(self.page):
            self.print(line)

    def _assumed(self, result: Result) -> None:
        for sentence in sentences(result):
            for line in Text(self.words(sentence)).wrapped(self.page):
                self.print(line)

    def _files(self, result: Result, run: str) -> None:
        """Return a table of files by their findings, worst first."""
        hidden = len(result.findings) - len(result.active)
        told = [part for part in sections(result) if part.findings or part.suppressed]
        told.sort(key=lambda part: [-part.count(severity) for severity in WORST_FIRST])
        rows: list[Row | None] = [
            self._counts(self.path(part.path), part, len(part.suppressed))
            for part in told[:MOST_TABLE_ROWS]
        ]
        if more := len(told) - len(rows):
            rows.append([f"{more:,} more with findings"])
        if clean := len(sections(result)) - len(told):
            rows.append([f"{clean:,} without findings"])
        columns = [
            paths("model", least=12),
            *(figures(Text(str(severity), STYLES[severity])) for severity in WORST_FIRST),
            *([figures("suppressed", drop=1)] if hidden else ()),
        ]
        total = self._counts(Text(run, BOLD), result, hidden)
        self._ruled(columns, [*rows, None, total] if len(rows) > 1 else [total])

    def _counts(self, what: Text | str, found: Section | Result, hidden: int) -> Row:
        counts = (self._count(found.count(severity), severity) for severity in WORST_FIRST)
        return [what, *counts, self._count(hidden)]

    def _count(self, number: int, severity: Severity | None = None) -> Text:
        if not number:
            return Text(self.glyphs.dot)
        return Text(f"{number:,}", STYLES[severity] if severity else PLAIN)

    def _next(self, active: Sequence[Finding]) -> str:
        worst = max(active, key=lambda finding: finding.severity)
        hints = [
            *_fixes([FLAGS[each.fixable] for each in active if each.fixable is not None]),
            f"`modellint rule {worst.code}` explains a rule",
            "`--write-baseline` accepts all current findings",
        ]
        return f"{'; '.join(hints)}."

    def statistics(self, result: Result) -> None:
        told = statistics(result)
        found = sum(bool(row.findings or row.suppressed) for row in told)
        shown = told[: found + MOST_SILENT_RULES]
        rows: list[Row] = [
            [
                self.words(f"{row.code}  {row.rule}"),
                self._count(row.findings),
                self._count(row.suppressed),
                "cached" if row.seconds is None else f"{row.seconds * 1000:,.1f} ms",
            ]
            for row in shown
        ]
        if rest := len(told) - len(shown):
            rows.append([f"{rest} faster ones without findings"])
        columns = [
            names("rule", least=12),
            figures("findings"),
            figures("suppressed", drop=1),
            figures("time"),
        ]
        self._ruled(columns, rows)

    # Lines

    def _ruled(self, columns: Sequence[Column], rows: Sequence[Row | None]) -> None:
        """Print a table with a line below its headings."""
        gap = 3 if self.width >= ROOMY else 2
        head, *lines = self.rows(columns, [None, *rows], self.page, gap)
        for line in (head, *lines):
            self.print(line)

    def _prose(self, label: str, prose: str, style: Style = LABEL) -> None:
        self.field(Text(label, style), self.words(prose))

    def beside(self, label: str | Text, line: Text) -> None:
        """Print a right-aligned label, with text next to it."""
        if not label:
            self.print(" " * self.gutter, line)
            return
        label = Text(label) if isinstance(label, str) else label
        self.print(" " * (self.gutter - 2 - label.width), label, "  ", line)


@dataclass(frozen=True, slots=True)
class _Columns:
    """Column widths of a frame; names are shortened first, since their ends identify them."""

    op: int
    name: int
    rows: tuple[FrameRow, ...]

    @classmethod
    def fitting(cls, rows: Sequence[FrameRow], width: int, ellipsis: str) -> _Columns:
        widest = [
            max([cells(row.op) for row in rows]),
            max([cells(row.name) for row in rows]),
            max([cells(row.detail) for row in rows]),
        ]
        op = min(widest[0], max(width // 3, 8))
        detail = min(widest[2], width // 2, width - op - NARROWEST - 4)
        if detail < NARROWEST:
            detail = 0
        name = min(widest[1], max(width - op - detail - 4, NARROWEST))
        if [op, name, detail] == widest:
            return cls(op, name, tuple(rows))
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
    style = LABEL if focus else PLAIN
    op = " " * (columns.op - cells(row.op) + 2)
    name = " " * (columns.name - cells(row.name) + 2)
    return Text.of(Text(row.op, style), op, Text(row.name, style), name, row.detail)


def _fixes(flags: Sequence[str]) -> Iterator[str]:
    """Count the findings that each option may fix, in one phrase."""
    counts = [(flag, flags.count(flag)) for flag in dict.fromkeys(FLAGS.values()) if flag in flags]
    if counts:
        (first, count), *others = counts
        more = (f", `{flag}` {count:,} more" for flag, count in others)
        yield f"`{first}` may fix {count:,} of them{''.join(more)}"
