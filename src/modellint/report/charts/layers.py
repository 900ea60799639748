"""Layers grouped for charts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from modellint.base.records import dataclass
from modellint.results.inspection import Inspection, LayerFacts

OTHERS = "others"
MOST_OF = 0.6
"""Share of names whose common path is left out."""
T = TypeVar("T")


def running(inspection: Inspection) -> list[LayerFacts]:
    """Return the layers that a runtime runs, in the graph's order."""
    return [each for each in inspection.every_layer or () if not each.folded]


def kind_of(layer: LayerFacts) -> str:
    """Return the operator with what tells its layers apart: a kernel, or a lack of weights."""
    weight = layer.weight
    if "Conv" in layer.op_type and weight is not None and len(weight) > 2:
        kernel = "×".join(map(str, weight[2:]))
        is_depthwise = weight[1] == 1 < weight[0]
        return f"{layer.op_type} {kernel}{' depthwise' if is_depthwise else ''}"
    if layer.op_type == "MatMul" and weight is None:
        return "MatMul of activations"
    return layer.op_type


@dataclass(frozen=True, slots=True)
class TimedFacts:
    """A layer, or the kernel that it leads, with its time."""

    layer: LayerFacts
    seconds: float
    bound: str


def timed(inspection: Inspection) -> tuple[list[TimedFacts], bool]:
    """Return layers with their expected time, or else all with lower bounds; True if expected."""
    layers = running(inspection)
    expected = [
        TimedFacts(each, each.expected, each.limited_by or "") for each in layers if each.expected
    ]
    if expected:
        return expected, True
    return [
        TimedFacts(each, each.seconds, each.bound or "") for each in layers if each.seconds
    ], False


@dataclass(frozen=True, slots=True)
class LayerGroup:
    """Layers with something in common."""

    name: str
    layers: Sequence[LayerFacts]

    def sum(self, figure: Callable[[LayerFacts], float | None]) -> float:
        return sum(figure(each) or 0 for each in self.layers)


def shared_path(names: Sequence[str]) -> str:
    """Return the path that most names begin with, which says little about any of them."""
    path = ""
    while True:
        longer = Counter(
            path + head + "/"
            for name in names
            if name.startswith(path)
            for head, slash, _ in [name[len(path) :].partition("/")]
            if slash
        )
        best, count = next(iter(longer.most_common(1)), ("", 0))
        if count <= MOST_OF * len(names):
            return path
        path = best


def without_path(name: str, path: str) -> str:
    """``…/layer.0/conv`` is ``/m/net/layer.0/conv`` without ``/m/net/``."""
    return f"…/{name.removeprefix(path)}" if len(path) > 1 and name.startswith(path) else name


def grouped(layers: Iterable[LayerFacts], by: Callable[[LayerFacts], str]) -> list[LayerGroup]:
    """Return groups in the order of their first layers."""
    found: dict[str, list[LayerFacts]] = defaultdict(list)
    for layer in layers:
        found[by(layer)].append(layer)
    return [LayerGroup(name, each) for name, each in found.items()]


def by_block(inspection: Inspection, most: int) -> list[LayerGroup]:
    """Return the blocks in order; of many, neighbors are put together."""
    layers = inspection.every_layer or ()
    groups = grouped(layers, lambda each: each.block or "rest")
    first, last = (0 if groups and groups[0].name != "start" else 1), len(groups) - 1
    inner = groups[first:last]
    while len(inner) > max(most - 2, 1):
        inner = [_joined(inner[at : at + 2]) for at in range(0, len(inner), 2)]
    return [*groups[:first], *inner, *groups[last:]] if groups else []


def _joined(groups: Sequence[LayerGroup]) -> LayerGroup:
    first, last = groups[0], groups[-1]
    name = first.name if first is last else _span(first.name, last.name)
    return LayerGroup(name, [layer for group in groups for layer in group.layers])


def _span(first: str, last: str) -> str:
    """``transformer 1`` and ``transformer 4`` become ``transformer 1–4``."""
    begin, end = first.split("–")[0], last.split("–")[-1]
    start = begin.rpartition(" ")[0]
    if start and last.startswith(f"{start} "):
        return f"{begin}–{end.rpartition(' ')[2]}"
    return f"{begin} – {end}"


def largest(
    groups: Iterable[LayerGroup], figure: Callable[[LayerFacts], float | None], most: int
) -> tuple[list[LayerGroup], LayerGroup | None]:
    """Return the groups with most of a figure, and all others as one."""
    ordered = sorted(groups, key=lambda each: -each.sum(figure))
    rest = ordered[most:]
    if len(rest) < 2:
        return ordered, None
    return ordered[:most], LayerGroup(OTHERS, [layer for each in rest for layer in each.layers])
