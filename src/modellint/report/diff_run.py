"""Part of the page of `modellint diff --run`: outputs, and where the difference starts."""

from __future__ import annotations

from collections.abc import Sequence

from modellint.base.text import counted
from modellint.report.page import Page
from modellint.report.table import Column, Row, figures, names, prose
from modellint.report.text import FAIR, GOOD, POOR, Text
from modellint.results.difference import NOT_FINITE, LayerDeviation, OutputDeviation, RunDifference

MOST_ROWS = 8
SLIGHT = 0.1
"""Share of the noise at the start, below which layers hardly add to it."""
OUTPUTS = (
    names("output"),
    figures("SQNR"),
    figures("cosine", drop=2),
    figures("top 1"),
    figures("largest", drop=1),
    figures("mean", drop=3),
    prose("", least=12),
)
LAYERS = (
    names("layer", least=44),
    names("op", drop=3),
    figures("SQNR"),
    figures("noise"),
    figures("of inputs", drop=2),
    figures("range", drop=1),
)
SATURATED = (names("quantizer"), figures("clipped"), names("range", drop=1), names("seen"))
DEAD = (names("layer"), figures("channels"), figures("dead"), names(), figures())


def draw_run(page: Page, run: RunDifference, *, verbose: bool) -> None:
    """Print outputs, the layers where a difference starts, saturation and dead channels."""
    page.blank()
    runtimes = " and ".join(dict.fromkeys(run.runtime))
    if not run.error:
        how = f"{runtimes}, {page.words(run.inputs)}, without graph optimizations"
        page.field("run", how)
    else:
        page.field(Text("run failed", POOR), page.words(run.error))
        return
    most = None if verbose else MOST_ROWS
    _section(page, "outputs", OUTPUTS, [_output(page, each) for each in run.outputs[:most]])
    if run.is_same or not run.compared:
        return
    if run.starts:
        page.blank()
        first = page.words(run.starts[0].new.name)
        page.field("starts at", Text.of(Text(first, POOR), _more(run)))
    starts = [_layer(page, each) for each in run.starts[:most]]
    _section(page, "", LAYERS, starts)
    least = SLIGHT * max((each.noise for each in run.starts), default=0.0)
    noisy = [each for each in run.noisiest if each.noise - each.before >= least]
    noisy = [each for each in noisy if each not in run.starts]
    rows = [_layer(page, each) for each in noisy[: None if verbose else MOST_ROWS // 2]]
    _section(page, "grows at", LAYERS, rows)
    saturated: list[Row] = [
        [
            page.words(each.node),
            f"{100 * each.clipped:.3g}%",
            _range(each.quantized),
            _range(each.seen),
        ]
        for each in run.saturated[:most]
    ]
    _section(page, "saturated", SATURATED, saturated)
    dead: list[Row] = [
        [page.words(each.layer), str(each.channels), str(each.old), _arrow(page), str(each.new)]
        for each in run.dead[:most]
    ]
    _section(page, "dead", DEAD, dead)


def summary(run: RunDifference) -> str:
    """Return the result in a few words."""
    if run.error:
        return "could not be run"
    if run.is_same:
        return "equal outputs"
    known = [each.sqnr for each in run.outputs if each.sqnr is not None]
    return f"outputs at {min(known):.1f} dB" if known else "different outputs"


def _more(run: RunDifference) -> str:
    others = len(run.starts) - 1
    compared = f"of {counted(run.compared, 'layer')} compared"
    return f" and {others:,} more {compared}" if others else f", alone {compared}"


def _section(page: Page, label: str, columns: Sequence[Column], rows: Sequence[Row]) -> None:
    if not rows:
        return
    if label:
        page.blank()
    for line in page.rows(columns, rows, page.page - page.gutter):
        page.beside(label, line)
        label = ""


def _output(page: Page, each: OutputDeviation) -> Row:
    name = page.words(each.name)
    if each.equal:
        return [name, Text("equal", GOOD), "", "", "", "", ""]
    if each.cosine is None:
        shapes = f" {_arrow(page)} ".join("×".join(map(str, shape)) for shape in each.shape)
        return [name, Text("shapes differ", POOR), "", "", "", "", shapes]
    return [
        name,
        Text(_db(each.sqnr), _style(each.sqnr)),
        f"{each.cosine:.6f}",
        "" if each.top1 is None else f"{100 * each.top1:.4g}%",
        "" if each.max_abs is None else f"{each.max_abs:.3g}",
        "" if each.mean_abs is None else f"{each.mean_abs:.3g}",
        "" if each.same_nonfinite else Text("other NaN or infinities", POOR),
    ]


def _layer(page: Page, layer: LayerDeviation) -> Row:
    ranges = [_range(each) for each in (layer.old_range, layer.new_range) if each is not None]
    return [
        page.words(layer.new.name),
        layer.new.op_type,
        Text(_db(layer.sqnr), _style(layer.sqnr)),
        _share(layer.noise),
        _share(layer.before),
        f" {_arrow(page)} ".join(dict.fromkeys(ranges)),
    ]


def _share(noise: float) -> str:
    if noise >= NOT_FINITE:
        return "not finite"
    return f"{100 * noise:.2g}%" if noise else "0"


def _range(bounds: Sequence[float]) -> str:
    low, high = (f"{bound:.3g}" for bound in bounds)
    return f"up to {high}" if low == "-inf" else f"{low} to {high}"


def _db(value: float | None) -> str:
    return "equal" if value is None else f"{value:.1f} dB"


def _style(value: float | None) -> str:
    if value is None or value >= 30:
        return GOOD
    return FAIR if value >= 15 else POOR


def _arrow(page: Page) -> str:
    return "->" if page.is_ascii else "→"
