"""Outcomes of probes: a table, and their agreement with the predictions of rules."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from modellint.base.text import clean, counted, duration, shorten
from modellint.base.units import format_bytes
from modellint.report.assumed import sentences
from modellint.report.contract import assumptions_entry, probe_entry
from modellint.report.options import Options
from modellint.report.page import Page
from modellint.report.table import Row, figures, markdown, names
from modellint.report.text import BOLD, FAIR, GOOD, POOR, Text
from modellint.results.finding import Finding, Probed, Result

VERDICTS = ("confirmed", "contradicted", "unforeseen")
EVIDENCE = "probe"
MEANINGS = {
    "confirmed": "predicted by a rule, and rejected by the runtime",
    "contradicted": "predicted by a rule, but accepted by the runtime",
    "unforeseen": "rejected by the runtime, but not predicted by any rule",
}
STYLES = {"builds": GOOD, "parses": GOOD, "refused": POOR}
COLUMNS = (
    names("  target", least=28),
    names("runtime"),
    names("answer"),
    figures("on device"),
    figures("parts"),
    figures("time", drop=5),
    figures("engine", drop=4),
    figures("weights", drop=3),
    figures("activ.", drop=2),
    figures("scratch", drop=1),
)
MOST_LAYERS = 12
REASON = 6
"""Columns by which reasons are indented."""


def answer(probed: Probed) -> str:
    """Return the outcome in one or two words."""
    if probed.status == "accepted":
        return "builds" if probed.level == "build" else "parses"
    return {"unanswered": "not probed", "refused": "refused"}.get(probed.status, probed.status)


def write_table(result: Result, stream: TextIO, options: Options) -> None:
    """Write the models, each followed by a line per deployment; nothing if there are none."""
    if not result.probes:
        return
    page = Page(stream, options)
    head, *lines = page.rows(COLUMNS, [_row(each, page) for each in result.probes], page.width)
    page.print(head)
    path = ""
    for probed, line in zip(result.probes, lines, strict=True):
        if probed.path != path:
            path = probed.path
            page.print(Text(shorten(page.words(path), page.width, page.glyphs.ellipsis), BOLD))
        page.print(line)
        if probed.reason:
            for each in Text(page.words(probed.reason)).wrapped(max(page.width, 40) - REASON):
                page.print(" " * REASON, each)
    remembered = sum(probed.cached for probed in result.probes)
    if remembered:
        page.print(f"{counted(remembered, 'answer')} from an earlier run (--no-cache probes again)")
    if not options.quiet and not result.active:  # else the findings' report says it
        for sentence in sentences(result):
            page.line(sentence)


def _row(probed: Probed, page: Page) -> Row:
    """Return a line without the model's name."""
    words = answer(probed)
    figures = probed.figures
    seconds = sum(figures.get(name, 0) for name in ("parse_seconds", "build_seconds"))
    sizes = ("engine_bytes", "weight_bytes", "activation_bytes", "scratch_bytes")
    return [
        f"  {page.words(probed.target or '-')}",
        f"{probed.backend} {'.'.join(probed.version.split('.')[:3])}".strip() or "-",
        Text(words, STYLES.get(words, FAIR)),
        *_placed(probed),
        duration(seconds) if seconds else "-",
        *(format_bytes(int(figures[name])) if name in figures else "" for name in sizes),
    ]


def _placed(probed: Probed) -> tuple[str, str]:
    """Return how many nodes run on the device, and in how many parts; empty for one unit only."""
    parts = probed.figures.get("subgraphs_taken")
    if probed.status != "accepted" or not probed.placement or parts is None:
        return "", ""
    total = sum(probed.placement.values())
    return f"{int(probed.figures['nodes_taken']):,} of {total:,}", f"{int(parts):,}"


def to_json(result: Result) -> dict[str, Any]:
    """Return the outcomes as JSON data."""
    return {
        "version": 1,
        "probes": [probe_entry(probed) for probed in result.probes],
        "assumptions": [assumptions_entry(each) for each in result.assumptions],
    }


def agreement(result: Result) -> str:
    """Return the agreement of rules and runtimes as Markdown: each verdict with its place."""
    out = io.StringIO()
    for line in _agreement(result):
        out.write(f"{line}\n")
    return out.getvalue()


def _agreement(result: Result) -> Iterator[str]:
    verdicts = [(finding.evidence.get(EVIDENCE), finding) for finding in result.findings]
    counts = Counter(str(verdict) for verdict, _ in verdicts if verdict in VERDICTS)
    yield "# Rules and runtimes"
    yield ""
    yield f"{_rate(counts)}"
    yield ""
    titles = ("model", "target", "runtime", "answer", "nodes left after optimization")
    yield from markdown(titles, map(_agreement_row, result.probes))
    for verdict in VERDICTS:
        found = [finding for each, finding in verdicts if each == verdict]
        if found:
            yield from _listed(verdict, found)
    for probed in result.probes:
        yield from _layers(probed)


def _agreement_row(probed: Probed) -> list[str]:
    path, target = clean(probed.path), probed.target or "-"
    runtime = f"{probed.backend} {probed.version}".strip() or "-"
    left = probed.figures.get("nodes_optimized")
    nodes = f"{left:.0f}" if left is not None else "-"
    return [_cell(path), target, runtime, answer(probed), nodes]


def _rate(counts: Counter[str]) -> str:
    predicted = counts["confirmed"] + counts["contradicted"]
    if not predicted and not counts["unforeseen"]:
        return "No rule predicted a rejection, and no runtime rejected anything."
    words = [
        f"{counts['confirmed']} of {counted(predicted, 'refusal')} predicted by rules confirmed"
    ]
    if counts["unforeseen"]:
        words.append(f"{counts['unforeseen']} not predicted")
    return "; ".join(words) + "."


def _listed(verdict: str, findings: Sequence[Finding]) -> Iterator[str]:
    yield ""
    yield f"## {verdict.capitalize()}: {MEANINGS[verdict]}"
    yield ""
    for finding in findings:
        where = f"{clean(finding.path)}" + (f" for {finding.target}" if finding.target else "")
        yield f"- {finding.code} in {_cell(where)}: {_cell(clean(finding.message))}"


def _layers(probed: Probed) -> Iterator[str]:
    if not probed.layers:
        return
    yield ""
    yield f"## Layers of {_cell(clean(probed.path))}" + (
        f" for {probed.target}" if probed.target else ""
    )
    yield ""
    for layer in probed.layers[:MOST_LAYERS]:
        yield f"- `{clean(layer)[:300].replace('`', '')}`"
    if len(probed.layers) > MOST_LAYERS:
        yield f"- and {len(probed.layers) - MOST_LAYERS} more"


def _cell(text: str) -> str:
    """Escape text so that it cannot break out of a table or a list."""
    return text.replace("|", "\\|").replace("<", "&lt;")
