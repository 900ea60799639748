"""What became of a model in an engine, as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from modellint.report.text import clean, counted

MOST = 8


@dataclass(frozen=True, slots=True)
class Became:
    """A model compared with the layers of an engine built from it, in names and numbers."""

    model: str
    export: str
    nodes: int
    layers: int
    reformats: int
    placed: int
    gone: Mapping[str, int]
    precisions: Mapping[str, int]
    fused: tuple[tuple[str, int], ...]
    left_float: tuple[tuple[str, str], ...]
    bottlenecks: tuple[tuple[str, str], ...]
    zones: tuple[tuple[str, str, int], ...]
    unknown: tuple[str, ...]


def comparison(became: Became) -> str:
    return "".join(f"{line}\n" for line in _lines(became))


def _lines(became: Became) -> Iterator[str]:
    yield f"{clean(became.model)} in {clean(became.export)}"
    yield ""
    layers = counted(became.layers, "layer")
    yield f"  {counted(became.nodes, 'node')} became {layers}, {became.reformats} of them reformats"
    yield f"  named by a layer    {became.placed} of {became.nodes} nodes"
    if became.gone:
        yield f"  folded or unnamed   {_counts(became.gone)}"
    yield f"  layers by type      {_counts(became.precisions)}"
    for name, count in became.fused:
        yield f"  fused               {count} nodes in {clean(name)}"
    for node, kind in became.left_float[:MOST]:
        yield f"  quantized in vain   {clean(node)} runs in {kind}"
    for layer, kind in became.bottlenecks[:MOST]:
        yield f"  bottleneck          {clean(layer)} runs in {kind} between quantized layers"
    for first, last, count in became.zones[:MOST]:
        yield f"  not fused           {count} light layers from {clean(first)} to {clean(last)}"
    if became.unknown:
        names = ", ".join(map(clean, became.unknown[:3]))
        some = f"{names} and {len(became.unknown) - 3} more" if became.unknown[3:] else names
        yield f"  not in the model    {some}: is the engine of another one?"


def _counts(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    shown = [f"{clean(name)} ×{count}" for name, count in ordered[:MOST]]
    rest = sum(count for _, count in ordered[MOST:])
    return ", ".join(shown) + (f", others ×{rest}" if rest else "")
