"""An engine's layers and their comparison with a model, as labeled text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

from modellint.base.text import clean, counted
from modellint.report.options import Options
from modellint.report.page import Page
from modellint.results.inspection import Became, Engine

MOST = 8
MOST_FUSED = 5
Labelled = tuple[str, str]


class EnginePage(Page):
    """Page on the layers of an engine."""

    gutter = 23

    def facts(self, engine: Engine) -> None:
        for label, text in facts(engine):
            self.field(label, self.words(text))


def write_comparison(model: str, export: str, engine: Engine, stream: TextIO) -> None:
    """Write a comparison of a model with the engine built from it, one fact per line."""
    page = EnginePage(stream, Options())
    page.print(f"{page.words(model)} in {page.words(export)}")
    page.blank()
    page.facts(engine)


def facts(engine: Engine) -> Iterator[Labelled]:
    """Iterate over notable facts as labels and texts."""
    if engine.became is not None:
        yield from _origin(engine.became, engine)
    else:
        yield "summary", f"{counted(len(engine.layers), 'layer')}, {_reformats(engine)}"
    if engine.kinds:
        yield "layers by kind", _counts(engine.kinds)
        yield "layers by type", _counts(engine.types)
    elif engine.layers:
        how = "build it with --profilingVerbosity=detailed"
        yield "layers by type", f"unknown: the engine keeps only names; {how}"
    most = sorted(engine.layers, key=lambda layer: -len(layer.nodes))[:MOST_FUSED]
    for layer in most:
        if len(layer.nodes) > 1:
            yield "fused", f"{len(layer.nodes)} nodes in {clean(layer.name)}"
    if engine.became is not None:
        for node in engine.became.left_float[:MOST]:
            yield "quantization lost", f"{clean(node.node)} runs in {node.type}"
        yield from _more("quantization lost", engine.became.left_float)
    for heavy in engine.bottlenecks[:MOST]:
        where = f"runs in {heavy.type} between quantized layers"
        yield "bottleneck", f"{clean(heavy.layer)} {where}"
    yield from _more("bottleneck", engine.bottlenecks)
    for zone in engine.zones[:MOST]:
        ends = f"from {clean(zone.first)} to {clean(zone.last)}"
        yield "not fused", f"{zone.layers} light layers {ends}"
    yield from _more("not fused", engine.zones)
    if engine.became is not None and engine.became.unknown:
        yield "not in the model", f"{_named(engine.became.unknown)}: engine of a different model?"


def _origin(became: Became, engine: Engine) -> Iterator[Labelled]:
    layers = counted(len(engine.layers), "layer")
    yield "summary", f"{counted(became.nodes, 'node')} became {layers}, {_reformats(engine)}"
    yield "named by a layer", f"{became.placed} of {became.nodes} nodes"
    if became.gone:
        yield "folded or unnamed", _counts(became.gone)


def _reformats(engine: Engine) -> str:
    return f"{engine.reformats} of them reformats"


def _more(label: str, all_of_them: Sequence[object]) -> Iterator[Labelled]:
    if len(all_of_them) > MOST:
        yield label, f"and {len(all_of_them) - MOST} more"


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(map(clean, names[:3]))
    return f"{shown} and {len(names) - 3} more" if names[3:] else shown


def _counts(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    shown = [f"{clean(name)} ×{count}" for name, count in ordered[:MOST]]
    rest = sum(count for _, count in ordered[MOST:])
    return ", ".join(shown) + (f", others ×{rest}" if rest else "")
