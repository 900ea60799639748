"""A difference for a pull request's comment or a job's summary: short first, the rest folded.

As in the report of findings, names in models must not become links, images, mentions or tables.
"""

from __future__ import annotations

import html
import io
from collections.abc import Iterator, Sequence
from typing import TextIO

from modellint.base.text import counted, growth, timing
from modellint.base.units import format_bytes
from modellint.report.diff import write as write_page
from modellint.report.diff_language import budget_figure, trade_off_facts
from modellint.report.diff_words import TITLES, figure_text, not_compared, summary
from modellint.report.markdown import MOST_CHARACTERS, code, prose, rule_link
from modellint.report.options import Options
from modellint.report.table import markdown
from modellint.results.difference import (
    BudgetCheck,
    DeviceDifference,
    Difference,
    FigureChange,
    FindingChange,
    InterfaceChange,
    MetricChange,
    Overview,
    OverviewRow,
    TradeOffs,
    VariantFigures,
)

MARK = "<!-- modellint diff -->"
"""Marker by which a workflow finds its previous comment, to replace it."""

MOST_FINDINGS, MOST_MODELS, MOST_CHANGES = 10, 50, 10
PAGE_WIDTH = 100
_SEVERITIES = ("error", "warning", "info")
_STATES = {"breaking": "**breaking**", "unreadable": "**unreadable**"}


def write(difference: Difference, stream: TextIO, options: Options) -> None:
    text = _lines(_head(difference))
    text += _lines(_short(difference))
    stream.write(text + _folded(difference, options, MOST_CHARACTERS - len(text)))


def write_several(
    differences: Sequence[Difference], overview: Overview, stream: TextIO, options: Options
) -> None:
    """Write one document: all models in a table, then those that differ."""
    text = _lines(_overview(overview))
    left_out = 0
    for difference in differences:
        if difference.is_unchanged:
            continue
        part = _lines(["", f"### {code(difference.new.path)}", "", *_short(difference)])
        if len(text) + len(part) > MOST_CHARACTERS:
            left_out += 1
            continue
        text += part
        text += _folded(difference, options, MOST_CHARACTERS - len(text))
    if left_out:
        text += f"\n{counted(left_out, 'model')} omitted to limit the report's length.\n"
    stream.write(text)


def _lines(lines: Iterator[str] | Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _head(difference: Difference) -> Iterator[str]:
    yield MARK
    yield "## modellint diff"
    yield ""
    yield f"{code(difference.old.path)} → {code(difference.new.path)}"
    yield ""


def _overview(overview: Overview) -> Iterator[str]:
    yield MARK
    yield "## modellint diff"
    yield ""
    yield f"{code(overview.old)} → {code(overview.new or 'working tree')}"
    yield ""
    if not overview.models:
        yield "No models that differ."
        return
    shown = overview.models[:MOST_MODELS]
    yield from markdown(("", "model", "old", "new", ""), map(_overview_row, shown))
    if len(overview.models) > len(shown):
        yield ""
        yield f"And {counted(len(overview.models) - len(shown), 'more model')}."
    if overview.trade_offs is not None:
        yield ""
        yield from _trade_offs(overview.trade_offs)


def _overview_row(row: OverviewRow) -> list[str]:
    was = f" (was {code(row.was)})" if row.was else ""
    sizes = ["" if size is None else format_bytes(size) for size in row.bytes]
    state = _STATES.get(row.status, row.status)
    return [state, f"{code(row.name)}{was}", *sizes, prose(row.says)]


def _trade_offs(found: TradeOffs) -> Iterator[str]:
    titles = ("variant", prose(found.metric or ""), "file", "memory", "at least", "per million", "")
    rows = [_variant_row(each, found.currency or "") for each in found.variants]
    yield from markdown(titles, rows)
    for fact in trade_off_facts(found):
        yield ""
        yield prose(fact)


def _variant_row(each: VariantFigures, currency: str) -> list[str]:
    return [
        code(each.name),
        f"{each.metric:.6g}" if each.metric is not None else "",
        format_bytes(each.bytes) if each.bytes is not None else "",
        format_bytes(each.memory) if each.memory is not None else "",
        timing(each.seconds) if each.seconds is not None else "",
        f"{each.cost:.3g} {prose(currency)}" if each.cost is not None else "",
        "optimal" if each.is_optimal else "",
    ]


# What is said of one model


def _short(difference: Difference) -> Iterator[str]:
    yield f"**{prose(', '.join(summary(difference)))}**"
    for side in (difference.old, difference.new):
        for problem in side.problems:
            yield f"- {code(side.path)}: {prose(problem.message)}"
    if difference.nodes is not None and difference.nodes.not_compared:
        yield ""
        said = not_compared(difference.nodes)
        yield f"{prose(said[0].upper() + said[1:])}."
    breaking = difference.breaking
    if breaking:
        yield ""
        yield from map(_breaking, breaking[:MOST_CHANGES])
        yield from _more(len(breaking) - MOST_CHANGES, "more breaking change")
    exceeded = [check for check in difference.budgets if check.exceeded]
    if exceeded:
        yield ""
        yield from map(_exceeded, exceeded)
    rows = list(_figure_rows(difference))
    if rows:
        yield ""
        yield from markdown(("", "old", "new", "change"), rows)
    yield from _findings(difference)


def _breaking(change: InterfaceChange) -> str:
    values = f"{change.old or 'none'} → {change.new or 'none'}"
    said = f"{change.what} {code(change.name)}: {prose(change.aspect)} {prose(values)}"
    return f"- **breaks** {said}. {prose(change.why)}"


def _exceeded(check: BudgetCheck) -> str:
    old, new = (prose(budget_figure(check, value)) for value in (check.old, check.new))
    where = f" on {code(check.target)}" if check.target else ""
    return f"- **budget exceeded**: {prose(check.name)}{where} {old} → {new}, {prose(check.limit)}"


def _figure_rows(difference: Difference) -> Iterator[list[str]]:
    for figure in difference.figures:
        if figure.old != figure.new:
            yield _figure_row(figure)
    for device in difference.devices:
        if device.target is not None:
            yield from _device_rows(device)
    for metric in difference.metrics or ():
        yield _metric_row(metric)


def _figure_row(figure: FigureChange) -> list[str]:
    shown = [prose(figure_text(figure, value)) for value in (figure.old, figure.new)]
    title = TITLES.get(figure.name, figure.name)
    return [prose(title), *shown, prose(growth(figure.old, figure.new))]


def _device_rows(device: DeviceDifference) -> Iterator[list[str]]:
    name = code(device.target or "")
    old, new = device.memory
    yield [f"memory on {name}", format_bytes(old), format_bytes(new), prose(growth(old, new))]
    before, after = device.seconds
    if before and after:
        times = timing(before), timing(after)
        yield [f"time on {name}, at least", *times, prose(growth(before, after))]


def _metric_row(metric: MetricChange) -> list[str]:
    shown = ["" if value is None else f"{value:.6g}" for value in (metric.old, metric.new)]
    known = metric.old is not None and metric.new is not None
    change = f"{(metric.new or 0.0) - (metric.old or 0.0):+.3g}" if known else ""
    return [prose(metric.name), *shown, change]


def _findings(difference: Difference) -> Iterator[str]:
    found = difference.findings
    if found is None or not (found.new or found.gone):
        return
    yield ""
    told = [f"{counted(len(found.new), 'new finding')}", f"{len(found.gone):,} gone"]
    yield f"{', '.join(told)}, {found.still:,} in both."
    worst = sorted(found.new, key=lambda each: _SEVERITIES.index(each.severity))
    for each in worst[:MOST_FINDINGS]:
        yield _finding(each)
    yield from _more(len(found.new) - MOST_FINDINGS, "more new finding")


def _finding(finding: FindingChange) -> str:
    severity = f"**{finding.severity}**" if finding.severity == "error" else finding.severity
    return f"- {severity} {rule_link(finding.code)} {prose(finding.message)}"


def _more(count: int, noun: str) -> Iterator[str]:
    if count > 0:
        yield f"- and {counted(count, noun)}"


def _folded(difference: Difference, options: Options, room: int) -> str:
    """Return the page for people in a part that unfolds, if there is room for it."""
    page = io.StringIO()
    shown = Options(verbose=options.verbose, color="never", width=PAGE_WIDTH)
    write_page(difference, page, shown)
    text = f"\n<details><summary>All changes</summary>\n\n{_preformatted(page.getvalue())}\n"
    text += "\n</details>\n"
    return text if len(text) <= room else ""


def _preformatted(text: str) -> str:
    """Return text as it is, with nothing that could end the element or start another."""
    lines = [html.escape(line).replace("@", "&#64;") for line in text.strip("\n").splitlines()]
    return f"<pre>{chr(10).join(line or '&#8203;' for line in lines)}</pre>"
