"""Pages about several runs: two compared, and estimates against measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from modellint.base.text import counted
from modellint.report.measured import milliseconds
from modellint.report.options import Options
from modellint.report.page import Page
from modellint.report.table import Row, figures, names, paths, prose
from modellint.report.text import FAIR, GOOD, POOR, Text
from modellint.results.measured import MeasuredRun

MOST_LAYERS = 10
LEAST_DELTA = 0.005
"""Change from which a layer is shown, as a share of the old time."""
NOTABLE = 0.02


def write_comparison(
    found: Mapping[str, Any],
    runs: tuple[MeasuredRun, MeasuredRun],
    stream: TextIO,
    options: Options,
) -> None:
    """Write what `RunComparison.to_json` says."""
    page = Page(stream, options)
    old, new = runs
    page.heading(page.words(f"{old.label} → {new.label}"))
    page.field("Time", _whole(found))
    if found["similarity"] is not None:
        same = "the same layers in the same order, " if found["same_structure"] else ""
        page.field("Likeness", f"{same}{found['similarity']:.0%} of the time is shared out alike")
    for note in found["notes"]:
        page.field("Note", page.words(note))
    if not (old.layers and new.layers):
        return
    total = old.layer_seconds or 1.0
    _write_pairs(page, found["pairs"], total, options.verbose)
    _write_lone(page, "Only before", found["lost"], options.verbose)
    _write_lone(page, "Only after", found["added"], options.verbose)


def write_validation(
    found: Mapping[str, Any], target: str, stream: TextIO, options: Options
) -> None:
    """Write what `Validation.to_json` says."""
    page = Page(stream, options)
    page.heading(page.words(f"Estimates for {target}"))
    rows = sorted(found["rows"], key=lambda row: -abs(row["error"]))
    if rows:
        page.field("Mean error", Text(f"{found['mape']:.1%}", _error_style(found["mape"])))
        rank = found["rank_correlation"]
        more = f", rank correlation {rank:.2f}" if rank is not None else ""
        page.field("", f"median {found['median']:.1%}, worst {found['worst']:.1%}{more}")
        page.field("Inside", f"{found['inside']:.0%} of {counted(len(rows), 'run')} in the bounds")
    if found["unknown"]:
        different = list(dict.fromkeys(found["unknown"]))
        names_of = ", ".join(page.words(name) for name in different[:3])
        page.field("Left out", f"{len(found['unknown'])} without an estimate: {names_of}")
    if not rows:
        page.field("", "Give the files of their models with --models.")
    if len(found["by_device"]) > 1:
        page.items("By device", [page.words(f"{k} {v:.0%}") for k, v in found["by_device"].items()])
    shown = rows if options.verbose else rows[:MOST_LAYERS]
    page.blank()
    page.table(
        (paths("model"), figures("measured"), figures("expected"), figures("error")),
        [
            [
                page.words(row["model"]),
                milliseconds(row["measured"]),
                milliseconds(row["expected"]),
                Text(f"{row['error']:+.1%}", _error_style(abs(row["error"]))),
            ]
            for row in shown
        ],
    )
    if len(shown) < len(rows):
        page.line(f"and {len(rows) - len(shown)} more, which are closer; --verbose shows all")
    if found["by_operator"]:
        page.blank()
        _write_operators(page, found["by_operator"], options.verbose)


def _write_operators(page: Page, found: Mapping[str, Mapping[str, Any]], verbose: bool) -> None:
    """Write the errors of operators, those that take longest first."""
    total = sum(each["measured"] for each in found.values())
    shown = list(found.items())[: None if verbose else MOST_LAYERS]
    page.table(
        (names("operator"), figures("kernels"), figures("time"), figures("error"), figures("bias")),
        [
            [
                page.words(op),
                f"{each['kernels']:,}",
                f"{each['measured'] / total:.1%}",
                Text(f"{each['mape']:.0%}", _error_style(each["mape"])),
                f"{each['bias']:+.0%}",
            ]
            for op, each in shown
        ],
    )
    if len(shown) < len(found):
        page.line(f"and {len(found) - len(shown)} more, which take less; --verbose shows all")


def _error_style(error: float) -> str:
    return GOOD if error <= 0.15 else FAIR if error <= 0.3 else POOR


def _whole(found: Mapping[str, Any]) -> Text:
    change = found["change"]
    if change is None:
        return Text("unknown")
    times = f"{milliseconds(found['old_seconds'])} → {milliseconds(found['new_seconds'])}: "
    text = Text.of(times, _change(change))
    if not found["certain"]:
        text = Text.of(text, ", ", Text("but the intervals overlap", FAIR))
    if found["undisturbed"] is not None:
        text = Text.of(text, "; ", _change(found["undisturbed"]), " by the least times of layers")
    return text


def _write_pairs(
    page: Page, pairs: Sequence[Mapping[str, Any]], total: float, verbose: bool
) -> None:
    changed = [
        each
        for each in pairs
        if verbose or abs(each["new_seconds"] - each["old_seconds"]) >= LEAST_DELTA * total
    ]
    changed.sort(key=lambda each: -abs(each["new_seconds"] - each["old_seconds"]))
    shown = changed if verbose else changed[:MOST_LAYERS]
    if not shown:
        page.line("No layer's time changed.")
        return
    rows: list[Row] = [
        [
            page.words(each["new"]),
            each["kind"],
            milliseconds(each["old_seconds"]),
            milliseconds(each["new_seconds"]),
            _signed(each["new_seconds"] - each["old_seconds"]),
            page.words(", ".join(each["reasons"])),
        ]
        for each in shown
    ]
    page.blank()
    page.table(
        (
            paths("layer"),
            names("kind", drop=2, least=8),
            figures("before", drop=3),
            figures("after"),
            figures("change"),
            prose("why", drop=1, least=16),
        ),
        rows,
    )
    if len(shown) < len(changed):
        page.line(f"and {len(changed) - len(shown)} more; --verbose shows all")


def _write_lone(page: Page, label: str, layers: Sequence[Mapping[str, Any]], verbose: bool) -> None:
    if not layers:
        return
    ordered = sorted(layers, key=lambda each: -each["seconds"])
    shown = ordered if verbose else ordered[:5]
    total = sum(each["seconds"] for each in layers)
    items = [page.words(f"{e['name']} {milliseconds(e['seconds'])}") for e in shown]
    if len(shown) < len(ordered):
        items.append(f"{len(ordered) - len(shown)} more")
    page.field(label, f"{counted(len(layers), 'layer')}, {milliseconds(total)}")
    page.items("", items)


def _change(share: float) -> Text:
    style = POOR if share > NOTABLE else GOOD if share < -NOTABLE else ""
    return Text(f"{share:+.1%}", style)


def _signed(seconds: float) -> Text:
    sign = "+" if seconds >= 0 else "-"
    return Text(f"{sign}{milliseconds(abs(seconds))}", POOR if seconds > 0 else GOOD)
