"""The page of measured runs: how long each takes, and where the time goes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from modellint.base.text import counted, timing
from modellint.base.units import format_bytes
from modellint.report.html.markup import Markup, element, name
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
from modellint.results.measured import MeasuredRun, RunLayer

KINDS = {"compute": "compute-bound", "reformat": "memory-bound", "copy": "workspace"}
"""Colors of layers in the bar of a run."""


def bench_page(runs: Sequence[MeasuredRun], failures: Iterable[str] = ()) -> str:
    """Return the page of runs; `failures` say what could not be measured, and why."""
    models = [_measured(f"m{at}", run) for at, run in enumerate(runs)]
    heads = ("runtime", "device", "#median", "#per second", "#peak memory")
    json = [asdict(run) for run in runs]
    nothing = element("h1", "Nothing was measured", class_="verdict poor") if not runs else None
    one_or_all = json[0] if len(json) == 1 else json
    return page("Bench", models, heads, one_or_all, failures, first=nothing)


def _measured(key: str, run: MeasuredRun) -> ModelPage:
    times = run.times
    whole = run.layer_seconds
    said = f"{timing(times.median)} per inference" if times else f"{timing(whole)} in layers"
    layers = sorted(run.layers, key=lambda layer: -layer.seconds)
    return ModelPage(
        run.model.name,
        Answer(said, "", " · ".join(filter(None, setup_of(run)))),
        [_time(run), where_card(run), memory_card(run)],
        [
            section(f"{key}-layers", "Layers", _layers(layers, whole)) if layers else None,
            section(f"{key}-details", "Details", element("div", _facts(run), class_="panels")),
        ],
        _row(run),
    )


def setup_of(run: MeasuredRun) -> list[str | None]:
    runtime, conditions = run.runtime, run.conditions
    threads = conditions.threads
    return [
        " ".join(filter(None, (runtime.name, runtime.version, runtime.provider))),
        run.device.name,
        f"batch {conditions.batch}" if conditions.batch else None,
        conditions.precision,
        counted(threads, "thread") if threads else None,
    ]


def _time(run: MeasuredRun) -> Markup | None:
    times = run.times
    if times is None:
        return None
    between = (
        f" {timing(times.low)} to {timing(times.high)}"
        if times.low is not None and times.high is not None
        else ""
    )
    first = f" · first {timing(times.first)}" if times.first is not None else ""
    timed = element("p", f"{counted(times.count, 'inference')}{first}", class_="quiet")
    return card("Median", timing(times.median), quiet(between), timed)


def where_card(run: MeasuredRun) -> Markup | None:
    whole = run.layer_seconds
    if not whole:
        return None
    spent: dict[str, float] = {}
    for layer in run.layers:
        spent[layer.kind] = spent.get(layer.kind, 0.0) + layer.seconds
    parts = [
        (KINDS.get(kind, "overhead"), time, f"{kind} {time / whole:.0%}")
        for kind, time in spent.items()
    ]
    said = ", ".join(told for _, _, told in parts)
    return card("Layers together", timing(whole), quiet(f" {said}"), bar(said, parts, whole))


def memory_card(run: MeasuredRun) -> Markup | None:
    memory = run.memory
    if memory is None or memory.peak is None:
        return None
    before = f" {format_bytes(memory.before)} before loading" if memory.before is not None else ""
    return card("Peak memory", format_bytes(memory.peak), quiet(before))


def _layers(layers: Sequence[RunLayer], whole: float) -> Markup:
    rows: list[list[Cell | Sorted]] = [
        [
            name(layer.name),
            layer.op or "",
            Sorted(timing(layer.seconds), layer.seconds),
            Sorted(f"{layer.seconds / whole:.1%}", layer.seconds) if whole else "",
            layer.precision or "",
            layer.unit or "",
        ]
        for layer in layers
    ]
    heads = columns("layer", "operator", "#time", "#share", "precision", "unit")
    return element("div", table("layers", heads, rows), class_="panel")


def _facts(run: MeasuredRun) -> list[Markup | None]:
    times, environment = run.times, run.environment
    pairs: list[tuple[str, Markup | str | None]] = [
        ("source", run.source),
        ("measured", run.created),
        ("system", environment.system),
        ("rounds", ", ".join(map(timing, times.rounds)) if times is not None else None),
        ("loading", timing(times.load) if times and times.load is not None else None),
        ("energy", f"{run.energy.joules:.3g} J per inference" if run.energy else None),
        *_speeds(run),
    ]
    notes = [element("li", note) for note in run.notes]
    return [panel("Run", facts(pairs)), panel("Doubts", element("ul", notes) if notes else None)]


def _speeds(run: MeasuredRun) -> list[tuple[str, str]]:
    if run.generation is None:
        return []
    named = (("prompt", run.generation.prompt), ("generation", run.generation.generated))
    return [(name, f"{speed.per_second:,.1f} tokens per second") for name, speed in named]


def _row(run: MeasuredRun) -> list[Cell | Sorted]:
    times = run.times
    peak = run.memory.peak if run.memory is not None else None
    batch = run.conditions.batch or 1
    return [
        " ".join(filter(None, (run.runtime.name, run.runtime.version))),
        run.device.name or "",
        Sorted(timing(times.median), times.median) if times else "",
        Sorted(f"{batch / times.median:,.1f}", batch / times.median)
        if times and times.median
        else "",
        Sorted(format_bytes(peak), peak) if peak is not None else "",
    ]
