"""Page of measured runs: a table of several, and the layers of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from modellint.base.text import counted
from modellint.base.units import format_bytes
from modellint.report.options import Options
from modellint.report.page import Page
from modellint.report.table import Row, figures, names, paths
from modellint.report.text import FAIR, GOOD, POOR, Text
from modellint.results.inspection import MeasuredLayer
from modellint.results.measured import MeasuredRun, RunSpeed, RunTimes

MOST_LAYERS = 10
MOST_OPERATORS = 6
_RUNS = (
    paths("model"),
    names("runtime", drop=2, least=8),
    figures("batch", drop=3),
    figures("median"),
    figures("±"),
    figures("per second"),
    figures("memory", drop=4),
)


_MEASURED = (
    paths("nodes"),
    names("operator", drop=3, least=8),
    figures("time"),
    figures("share"),
    names("bound", drop=2, least=6),
    figures("of peak"),
    names("precision", drop=1, least=4),
    names("kernel", drop=4, least=10),
)


def write(
    runs: Sequence[MeasuredRun],
    failures: Sequence[tuple[str, str]],
    stream: TextIO,
    options: Options,
) -> None:
    """Write one run in full, or a table of several."""
    page = Page(stream, options)
    if len(runs) == 1 and not failures:
        _write_one(page, runs[0], verbose=options.verbose)
        return
    if runs:
        page.heading(counted(len(runs), "run"))
        page.table(_RUNS, [_row(page, run) for run in runs])
    for note, count in _common_notes(runs):
        of = "" if count == len(runs) else f" ({count} of {len(runs)})"
        page.line(Text(note, FAIR), of)
    for label, reason in failures:
        page.line(page.words(label), ": ", Text(page.words(reason), POOR))


def _common_notes(runs: Sequence[MeasuredRun]) -> list[tuple[str, int]]:
    """Return the kinds of doubts, with the number of runs that have them."""
    around = [run.environment for run in runs]
    wide = sum(run.times is not None and run.times.narrow is False for run in runs)
    late = [each.waiting for each in around if each.waiting is not None and each.waiting > 0.05]
    taken = [each.stolen for each in around if each.stolen is not None and each.stolen > 0.05]
    found = [
        ("The interval is wider than 5% of the median: smaller differences mean little.", wide),
        (f"Other processes used the CPU: up to {max(late, default=0):.0%} waiting.", len(late)),
        (f"The hypervisor took up to {max(taken, default=0):.0%} of the time.", len(taken)),
    ]
    return [(text, count) for text, count in found if count]


def _row(page: Page, run: MeasuredRun) -> Row:
    times = run.times
    peak = run.memory.peak if run.memory is not None else None
    return [
        page.words(run.model.name),
        _runtime(run),
        str(run.conditions.batch or ""),
        milliseconds(run.seconds),
        _spread(times),
        _throughput(run),
        format_bytes(peak) if peak is not None else "",
    ]


def _write_one(page: Page, run: MeasuredRun, *, verbose: bool) -> None:
    page.heading(page.words(run.label))
    page.field("Runtime", page.words(" ".join(filter(None, (_runtime(run), run.runtime.provider)))))
    page.field("Device", page.words(_device(run)))
    page.field("Inputs", page.words(_inputs(run)))
    times = run.times
    if times is not None:
        page.field("Time", _time(times))
        page.field("Throughput", f"{_throughput(run)} per second")
        rest = [
            f"{label} {milliseconds(value)}"
            for label, value in (
                ("fastest", times.minimum),
                ("90%", times.p90),
                ("99%", times.p99),
                ("first", times.first),
                ("load", times.load),
                ("copies", times.host),
            )
            if value is not None
        ]
        page.items("", rest)
    if run.generation is not None:
        page.field("Prompt", _speed(run.generation.prompt))
        page.field("Generation", _speed(run.generation.generated))
    if run.memory is not None and run.memory.peak is not None:
        before = run.memory.before
        own = f", {format_bytes(before)} of it the runtime itself" if before else ""
        page.field("Memory", f"{format_bytes(run.memory.peak)} at the peak{own}")
    if run.energy is not None:
        energy = f"{1000 * run.energy.joules:.3g} mJ per inference ({run.energy.source})"
        page.field("Energy", energy)
    elif run.source == "bench":
        page.field("Energy", "not measured: no counter is readable by this user")
    for note in run.notes:
        page.field("Doubt", Text(page.words(note), FAIR))
    if run.layers:
        page.blank()
        _write_layers(page, run, verbose=verbose)


def _write_layers(page: Page, run: MeasuredRun, *, verbose: bool) -> None:
    whole = run.layer_seconds or 1.0
    ordered = sorted(run.layers, key=lambda layer: -layer.seconds)
    shown = ordered if verbose else ordered[:MOST_LAYERS]
    rows: list[Row] = [
        [
            page.words(layer.name),
            page.words(layer.op or layer.kernel or ""),
            layer.precision or "",
            milliseconds(layer.seconds),
            f"{layer.seconds / whole:.1%}",
        ]
        for layer in shown
    ]
    columns = (
        paths("layer"),
        names("operator", drop=2, least=8),
        names("precision", drop=1, least=4),
        figures("ms"),
        figures("share"),
    )
    page.table(columns, rows)
    if len(shown) < len(ordered):
        left = sum(layer.seconds for layer in ordered[len(shown) :])
        page.line(
            f"and {len(ordered) - len(shown)} more with {milliseconds(left)} "
            f"({left / whole:.0%}); --verbose shows all"
        )
    operators: dict[str, float] = {}
    for layer in run.layers:
        operators[layer.op or "?"] = operators.get(layer.op or "?", 0.0) + layer.seconds
    if operators.keys() <= {"?"}:  # a profile of names alone
        return
    most = sorted(operators.items(), key=lambda each: -each[1])[:MOST_OPERATORS]
    page.blank()
    page.items("By operator", [page.words(f"{op} {taken / whole:.0%}") for op, taken in most])


class MeasuredPage(Page):
    """Page on the layers of a measured run."""

    def draw(self, layers: Sequence[MeasuredLayer]) -> None:
        """Write a row for each layer, the longest first."""
        self.heading("measured")
        shown = layers if self.options.verbose else layers[:MOST_LAYERS]
        self.table(_MEASURED, [self._row(layer) for layer in shown])
        left = layers[len(shown) :]
        if left:
            share = sum(layer.share for layer in left)
            self.line(f"and {len(left)} more with {share:.0%} of the time; --verbose shows all")

    def _row(self, layer: MeasuredLayer) -> Row:
        efficiency = layer.efficiency
        return [
            self.words(", ".join(layer.nodes) or layer.name),
            layer.kind if layer.kind != "compute" else self.words(layer.op or ""),
            milliseconds(layer.seconds),
            f"{layer.share:.1%}",
            layer.bound or "",
            f"{efficiency:.0%}" if efficiency is not None else "",
            layer.precision or "",
            self.words(layer.kernel or ""),
        ]


def milliseconds(seconds: float | None) -> str:
    """Return a time with three significant digits in milliseconds."""
    if seconds is None:
        return ""
    value = 1000 * seconds
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"


def _runtime(run: MeasuredRun) -> str:
    return " ".join(filter(None, (run.runtime.name, run.runtime.version)))


def _device(run: MeasuredRun) -> str:
    device, threads = run.device, run.conditions.threads
    parts = [device.name or device.kind, f"{counted(device.units, 'core')}" if device.units else ""]
    parts.append(counted(threads, "thread") if threads else "")
    return ", ".join(filter(None, parts))


def _inputs(run: MeasuredRun) -> str:
    shapes = run.conditions.shapes.items()
    return ", ".join(f"{name} {'x'.join(map(str, shape)) or 'scalar'}" for name, shape in shapes)


def _time(times: RunTimes) -> Text:
    head = f"{milliseconds(times.median)} median of {counted(times.count, 'inference')}"
    if times.low is None or times.high is None or not times.rounds:
        return Text(head)
    between = (
        f"{milliseconds(times.low)} to {milliseconds(times.high)} with "
        f"{times.confidence or 0:.0%} ({counted(len(times.rounds), 'round')})"
    )
    return Text.of(head, ", ", Text(between, GOOD if times.narrow else FAIR))


def _speed(speed: RunSpeed) -> str:
    between = (
        f", {rate(speed.low)} to {rate(speed.high)} between rounds"
        if speed.low is not None and speed.high is not None and speed.low < speed.high
        else ""
    )
    return f"{rate(speed.per_second)} tokens a second of {speed.tokens:,}{between}"


def _spread(times: RunTimes | None) -> Text:
    """Return half the width of the interval, as a share of the median."""
    if times is None or times.low is None or times.high is None or not times.median:
        return Text()
    half = (times.high - times.low) / 2 / times.median
    return Text(f"{half:.1%}", GOOD if times.narrow else FAIR)


def _throughput(run: MeasuredRun) -> str:
    seconds = run.seconds
    if not seconds:
        return ""
    return rate((run.conditions.batch or 1) / seconds)


def rate(per_second: float) -> str:
    return f"{per_second:,.0f}" if per_second >= 100 else f"{per_second:.3g}"
