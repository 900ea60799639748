"""Pages about runs that were read: two of them compared, and the fingerprint of one."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modellint.base.text import counted, timing
from modellint.report.charts.changed_layers import changed_layers
from modellint.report.charts.kinds import kinds
from modellint.report.html.charts import WIDTH, charts_of
from modellint.report.html.markup import Markup, element, name
from modellint.report.html.measured import memory_card, setup_of, where_card
from modellint.report.html.pages import Answer, ModelPage, page
from modellint.report.html.parts import (
    Cell,
    Sorted,
    bar,
    card,
    columns,
    facts,
    panel,
    quiet,
    section,
    table,
)
from modellint.report.options import Options
from modellint.report.runs import NOTABLE, write_comparison
from modellint.results.measured import MeasuredRun

SAME = " give this digest by their order and shapes, whatever their names"


def compare_page(found: Mapping[str, Any], runs: tuple[MeasuredRun, MeasuredRun]) -> str:
    """Return the page of what `RunComparison.to_json` says of two runs."""
    old, new = runs
    told = ModelPage(
        new.model.name,
        _answer(found, old),
        list(_cards(found, runs)),
        [
            charts_of("m0-changes", [changed_layers(found, WIDTH)]),
            section("m0-layers", "Layers", *_layers(found)),
            section("m0-details", "Details", element("div", _runs(found, runs), class_="panels")),
            section("m0-text", "As in the terminal", _as_text(found, runs)),
        ],
        [],
    )
    return page("Compare", [told], (), found)


def _answer(found: Mapping[str, Any], old: MeasuredRun) -> Answer:
    growth, change = found["regression"], found["change"]
    more = " · ".join((f"against {old.label}", *found["notes"]))
    if growth is None:
        return Answer("The runs have no times to compare", "", more)
    if change is not None and not found["certain"]:
        more += " · the intervals of the times overlap"
    if abs(growth) <= NOTABLE:
        return Answer(f"As fast as before ({growth:+.1%})", "good", more)
    if growth > 0:
        return Answer(f"Slower by {growth:.1%}", "poor", more)
    return Answer(f"Faster by {-growth:.1%}", "good", more)


def _cards(
    found: Mapping[str, Any], runs: tuple[MeasuredRun, MeasuredRun]
) -> Iterator[Markup | None]:
    before, after = found["old_seconds"], found["new_seconds"]
    if before is not None and after is not None:
        yield card("Time per run", timing(after), quiet(f" was {timing(before)}"))
    if found["undisturbed"] is not None:
        least = quiet(" by their least times")
        yield card("Layers together", f"{found['undisturbed']:+.1%}", least)
    if found["similarity"] is not None:
        share = found["similarity"]
        same = (
            "the same layers in the same order"
            if found["same_structure"]
            else "not the same layers"
        )
        said = f"{share:.0%} of the time is shared out alike"
        yield card(
            "Likeness", f"{share:.0%}", quiet(f" {same}"), bar(said, [("plain", share, said)], 1.0)
        )
    if all(run.memory is not None and run.memory.peak is not None for run in runs):
        yield memory_card(runs[1])


def _layers(found: Mapping[str, Any]) -> Iterator[Markup | None]:
    rows: list[list[Cell | Sorted]] = [
        [
            name(each["new"]),
            each["kind"],
            _time(each["old_seconds"]),
            _time(each["new_seconds"]),
            _delta(each["new_seconds"] - each["old_seconds"]),
            ", ".join(each["reasons"]),
        ]
        for each in sorted(
            found["pairs"], key=lambda each: -abs(each["new_seconds"] - each["old_seconds"])
        )
    ]
    if rows:
        heads = columns("layer", "kind", "#before", "#after", "#change", "what differs")
        yield element("div", table("layers in both runs", heads, rows), class_="panel")
    for label, lone in (("Only before", found["lost"]), ("Only after", found["added"])):
        if lone:
            yield element(
                "div",
                element("h3", f"{label}: {counted(len(lone), 'layer')}"),
                table(
                    f"layers {label.lower()}",
                    columns("layer", "kind", "#time"),
                    [
                        [name(each["name"]), each["kind"], _time(each["seconds"])]
                        for each in sorted(lone, key=lambda each: -each["seconds"])
                    ],
                ),
                class_="panel",
            )


def _time(value: float) -> Sorted:
    return Sorted(timing(value), value)


def _delta(value: float) -> Sorted:
    tone = "poor" if value > 0 else "good" if value < 0 else "quiet"
    sign = "+" if value > 0 else "−" if value < 0 else ""
    return Sorted(element("span", f"{sign}{timing(abs(value))}", class_=tone), value)


def _runs(
    found: Mapping[str, Any], runs: tuple[MeasuredRun, MeasuredRun]
) -> Iterator[Markup | None]:
    for label, run in zip(("Before", "After"), runs, strict=True):
        yield panel(label, facts(_facts(run)))
    notes = [element("li", note) for note in found["notes"]]
    yield panel("Other conditions", element("ul", notes) if notes else None)


def _facts(run: MeasuredRun) -> Iterator[tuple[str, Markup | str | None]]:
    yield "model", name(run.model.name)
    yield "with", " · ".join(filter(None, setup_of(run)))
    yield "source", run.source
    yield "measured", run.created
    yield "time", timing(run.seconds) if run.seconds is not None else None
    yield "layers", f"{len(run.layers):,}" if run.layers else None


def _as_text(found: Mapping[str, Any], runs: tuple[MeasuredRun, MeasuredRun]) -> Markup:
    stream = io.StringIO()
    write_comparison(found, runs, stream, Options(width=100, color="never"))
    return element(
        "details", element("summary", "The whole report as text"), element("pre", stream.getvalue())
    )


def fingerprint_page(found: Mapping[str, Any], run: MeasuredRun) -> str:
    """Return the page of what `RunFingerprint.to_json` says of a run."""
    layers: Sequence[Mapping[str, Any]] = found["layers"]
    told = ModelPage(
        run.model.name,
        Answer(
            f"Fingerprint {found['digest']}",
            "",
            " · ".join(filter(None, setup_of(run))),
        ),
        [
            card("Layers", f"{len(layers):,}", quiet(SAME)) if layers else None,
            where_card(run),
        ],
        [
            charts_of("m0-kinds", [kinds(found, WIDTH)]),
            section("m0-layers", "Layers", _prints(layers, run)) if layers else None,
        ],
        [],
    )
    return page("Fingerprint", [told], (), found)


def _prints(layers: Sequence[Mapping[str, Any]], run: MeasuredRun) -> Markup:
    rows: list[list[Cell | Sorted]] = [
        [
            name(layer.name),
            told["kind"],
            told["structure"],
            Sorted(f"{told['share']:.1%}", told["share"]),
            _figure(told["intensity"], "{:.3g}"),
            _figure(told["compute"], "{:.0%}"),
            _figure(told["memory"], "{:.0%}"),
            told["precision"] or "",
        ]
        for told, layer in zip(layers, run.layers, strict=True)
    ]
    heads = columns(
        "layer",
        "kind",
        "structure",
        "#share",
        "#operations per byte",
        "#of best arithmetic",
        "#of best traffic",
        "precision",
    )
    return element("div", table("layers", heads, rows), class_="panel")


def _figure(value: float | None, form: str) -> Cell | Sorted:
    return Sorted(form.format(value), value) if value is not None else ""
