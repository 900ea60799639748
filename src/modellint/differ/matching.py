"""Matching of two models: their graphs, their functions, and the graphs inside nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from modellint.differ.canonical import CanonicalGraph, CanonicalStep, canonical
from modellint.differ.composed import FLATTEN, GLOBAL_MEAN, LAYERS, Composing
from modellint.differ.crossing import FOLDED, is_crossing
from modellint.differ.functions import paired_functions
from modellint.differ.matched import Matching
from modellint.differ.matcher import Matcher
from modellint.differ.sloped import join_hard_sigmoids
from modellint.model import Graph, Model

WRITTEN_OUT = (LAYERS, ("LayerNormalization",), ("Gelu",), (FOLDED,), (GLOBAL_MEAN,), (FLATTEN,))
"""Operators that are composed if the models have different numbers of them."""


def match_models(old: Model, new: Model) -> Matching:
    """Match the graphs of two models, with all graphs inside them."""
    found = Matching(old, new)
    functions = paired_functions(old, new)
    for pair in [(old.graph, new.graph), *functions.both]:
        _match_graphs(found, *pair, functions.renamed)
    _lose(found.removed, functions.removed)
    _lose(found.added, functions.added)
    if is_crossing(old, new):
        join_hard_sigmoids(found)
    return found


def _match_graphs(found: Matching, old: Graph, new: Graph, renamed: Mapping[str, str]) -> None:
    """Match two graphs, then those inside their matched nodes."""
    waiting = [(old, new)]
    while waiting:
        one, other = waiting.pop()
        matcher = Matcher(*_views(one, other, renamed), found.values)
        matcher.run()
        matcher.record(found)
        for step, twin in matcher.old.twins.items():
            inner, inside = step.main.subgraphs, twin.main.subgraphs
            waiting += [(graph, inside[key]) for key, graph in inner.items() if key in inside]
            _lose(found.removed, [graph for key, graph in inner.items() if key not in inside])
            _lose(found.added, [graph for key, graph in inside.items() if key not in inner])
        _lose(found.removed, [g for step in matcher.old.unmatched() for g in _inside(step)])
        _lose(found.added, [g for step in matcher.new.unmatched() for g in _inside(step)])


def _lose(lost: list[CanonicalStep], graphs: Sequence[Graph]) -> None:
    for graph in graphs:
        lost += _steps_of(graph)


def _inside(step: CanonicalStep) -> Iterator[Graph]:
    return iter(step.main.subgraphs.values())


def _steps_of(graph: Graph) -> Iterator[CanonicalStep]:
    for inner in graph.walk():
        yield from canonical(inner, Composing()).steps


def _views(
    old: Graph, new: Graph, renamed: Mapping[str, str]
) -> tuple[CanonicalGraph, CanonicalGraph]:
    """Return both canonical views; an operator decomposed in only one model is one step in both."""
    composing = Composing(*(_counts(old, ops) != _counts(new, ops) for ops in WRITTEN_OUT))
    if is_crossing(old.model, new.model):
        composing = Composing(layers=True, norms=True, gelus=True, crossing=True)
    return canonical(old, composing), canonical(new, composing, renamed)


def _counts(graph: Graph, ops: Iterable[str]) -> list[int]:
    return [len(graph.by_op.get(op, ())) for op in ops]
