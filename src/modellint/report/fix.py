"""Report of fixes for people: what was fixed, how it was proved, and what changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TextIO

from modellint.base.text import cells, counted, growth, quantity, shorten
from modellint.base.units import format_bytes
from modellint.report.options import Options
from modellint.report.page import Page
from modellint.report.table import Row, figures, names
from modellint.report.text import FAIR, FIX, GOOD, LINES, POOR, Style, Text
from modellint.results.fixed import Change, FileFixes, FixEntry, Gain, ModelSize

MOST_REFUSED = 5
MOST_CHANGES = 200
SIGNS: dict[str, tuple[str, Style]] = {
    "removed": ("-", POOR),
    "added": ("+", GOOD),
    "changed": ("~", FAIR),
}
NARROWEST = 10


def write(
    fixes: Sequence[FileFixes],
    stream: TextIO,
    options: Options,
    *,
    changes: bool = False,
    silent: bool = True,
) -> None:
    """Write what was fixed; with `changes`, as a plan of what would be, line by line.

    If `silent`, nothing about files where nothing was to be fixed.
    """
    page = _FixPage(stream, options, changes)
    for each in fixes:
        if (
            not silent
            or each.fixed
            or each.refused
            or each.problem
            or (each.offered and options.verbose)
        ):
            page.file(each)
    page.end(fixes)


class _FixPage(Page):
    gutter = 12

    def __init__(self, stream: TextIO, options: Options, is_plan: bool) -> None:
        super().__init__(stream, options)
        self.is_plan = is_plan

    def file(self, fixes: FileFixes) -> None:
        self.heading(self.path(fixes.path))
        if self.is_plan or self.options.verbose:
            for graph, lines in groupby(fixes.changes[:MOST_CHANGES], lambda each: each.graph):
                self._frame(graph, list(lines))
            if more := len(fixes.changes) - MOST_CHANGES:
                self.line(f"{more:,} more changes" if more > 0 else "")
        if fixes.fixed:
            verb = "would fix" if self.is_plan else "fixed"
            self.field(Text(verb, FIX), f"{len(fixes.fixed):,}: {_codes(fixes.fixed)}")
            if not fixes.gains:
                self.field("gain", self.words(_gain(fixes.before, fixes.after)))
        if fixes.recorded_shapes:
            self.field("recorded", counted(fixes.recorded_shapes, "shape"))
        if fixes.proof:
            self.field("proof", self.words(_proof(fixes)))
        if fixes.gains:
            self._gains(fixes.gains)
        self._refused(fixes)
        if fixes.gains and fixes.written:
            self.field("written", self.words(", ".join((fixes.written, *fixes.data_files))))
        self.field("more", self.words(_offers(fixes.offered)))
        self.field(Text("problem", POOR), self.words(fixes.problem))
        self.blank()

    def _gains(self, gains: Sequence[Gain]) -> None:
        columns = [names("gained"), figures("before"), figures("after"), figures("change")]
        rows: list[Row] = []
        for each in gains:
            on = f" on {each.target}" if each.target else ""
            change = growth(each.before, each.after) if each.after != each.before else ""
            shown = (_figure(each.before, each.unit), _figure(each.after, each.unit))
            rows.append([self.words(f"{each.name}{on}"), *shown, change])
        self.table(columns, rows, indent=self.gutter)

    def _refused(self, fixes: FileFixes) -> None:
        label: str | Text = Text("refused", FAIR)
        shown = fixes.refused if self.options.verbose else fixes.refused[:MOST_REFUSED]
        for each in shown:
            said = f"{each.entry.code}  {each.entry.says} {_STEPS[each.step]}: {each.detail}"
            self.field(label, self.words(said))
            label = ""
        if more := len(fixes.refused) - len(shown):
            self.field(" ", f"{more:,} more")

    # The difference, in the style of the frames of findings

    def _frame(self, graph: str, lines: Sequence[Change]) -> None:
        self.print("   ", Text(f"{self.glyphs.top} {self.words(graph or 'the file')}", LINES))
        rows = [(self.words(each.what), self.words(each.name)) for each in lines]
        op = min(max(cells(what) for what, _ in rows), self.page // 4)
        name = min(max(cells(name) for _, name in rows), self.page // 3)
        for (what, label), each in zip(rows, lines, strict=True):
            sign, style = SIGNS[each.kind]
            head = f"{sign} {self._fitted(what, op)}  {self._fitted(label, name)}  "
            self._detail(head, each.before, each.detail, style)
        self.print("   ", Text(self.glyphs.bottom, LINES))

    def _fitted(self, text: str, width: int) -> str:
        cut = shorten(text, width, self.glyphs.ellipsis)
        return cut + " " * (width - cells(cut))

    def _detail(self, head: str, before: str, detail: str, style: Style) -> None:
        """Print what it was in plain, if it changed, and what it is in color."""
        room = max(self.page - 5 - cells(head), NARROWEST)
        bar, gap = Text(f"{self.glyphs.bar} ", LINES), " " * cells(head)
        lines = [Text(line.plain) for line in Text(self.words(before)).wrapped(room) if before]
        lines += Text(self.words(detail), style).wrapped(room)
        for number, line in enumerate(lines):
            self.print("   ", bar, gap if number else Text(head, style), line)

    def end(self, fixes: Sequence[FileFixes]) -> None:
        number = sum(len(each.fixed) for each in fixes)
        models = sum(bool(each.fixed) for each in fixes)
        if number:
            verb = "Would fix" if self.is_plan else "Fixed"
            said = f"{verb} {counted(number, 'finding')} in {counted(models, 'model')}"
            self.print(Text(f"{said}.", FIX))
        else:
            offers = self.words(_offers([each for file in fixes for each in file.offered]))
            said = f"Nothing to fix with these options: {offers}." if offers else "Nothing to fix."
            for line in Text(said).wrapped(self.page):
                self.print(line)
        refused = sum(len(each.refused) for each in fixes)
        if refused:
            self.print(f"{counted(refused, 'fix', 'fixes')} left out: the proof failed.")


_STEPS = {
    "edit": "It cannot be applied",
    "file": "The file would have a new problem",
    "interface": "The interface would change",
    "checker": "onnx's checker rejects the result",
    "loading": "The runtime rejects the result",
    "outputs": "Outputs would differ",
    "findings": "Linting finds",
    "not-run": "Not proved, since the model cannot be run here",
}


def _codes(entries: Iterable[FixEntry]) -> str:
    """Return ``HYG001 ×3, HYG004``."""
    counts: dict[str, int] = {}
    for each in entries:
        counts[each.code] = counts.get(each.code, 0) + 1
    return ", ".join(f"{code} x{n}" if n > 1 else code for code, n in sorted(counts.items()))


def _figure(number: float, unit: str) -> str:
    if unit == "bytes":
        return format_bytes(int(number))
    return f"{number * 1000:.3g} ms" if unit == "seconds" else quantity(int(number))


def _gain(before: ModelSize | None, after: ModelSize | None) -> str:
    if before is None or after is None:
        return ""
    return ", ".join(_gains(before, after))


def _gains(before: ModelSize, after: ModelSize) -> Iterator[str]:
    if before.nodes != after.nodes:
        yield f"nodes {before.nodes:,} → {after.nodes:,}"
    weights = _sizes(before.weight_bytes, after.weight_bytes)
    if weights:
        yield f"weights {weights}"
    file = _sizes(before.file_bytes, after.file_bytes)
    if file:
        yield f"file {file}"


def _sizes(before: int, after: int) -> str:
    """Return both sizes, or nothing if they read alike."""
    old, new = format_bytes(before), format_bytes(after)
    return f"{old} → {new}" if old != new else ""


def _proof(fixes: FileFixes) -> str:
    if not fixes.proof:
        return ""
    if fixes.largest_difference:
        return f"{fixes.proof}; outputs differ by at most {fixes.largest_difference:.2g}"
    return f"{fixes.proof}; outputs are equal" if "run in" in fixes.proof else fixes.proof


def _offers(offered: Sequence[FixEntry]) -> str:
    """Return ``FUS002 x4 with --unsafe-fixes; SHP010 with --choose dim:batch=SIZE``."""
    unsafe = [each for each in offered if each.applicability in ("exact", "numbers")]
    told = [f"{_codes(unsafe)} with --unsafe-fixes"] if unsafe else []
    options = dict.fromkeys(each.option for each in offered if each.option)
    told += [
        f"{_codes(each for each in offered if each.option == option)} with {flag_of(option)}"
        for option in options
    ]
    return "; ".join(told)


def flag_of(option: str) -> str:
    """Return how a choice is given on the command line."""
    kind, colon, rest = option.partition(":")
    return f"--fix-dim {rest}" if kind == "dim" and colon else f"--choose {option}"
