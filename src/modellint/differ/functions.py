"""Pairs of model-local functions, also of those that have another name in the new model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from typing import NamedTuple

from modellint.differ.canonical import CanonicalStep, canonical
from modellint.differ.composed import Composing
from modellint.differ.labels import as_written
from modellint.differ.side import Side
from modellint.model import Graph, Model

FunctionKey = tuple[str, str, str]
"""Domain, name and overload."""


class FunctionPairs(NamedTuple):
    """The functions of two models."""

    both: list[tuple[Graph, Graph]]
    removed: list[Graph]
    added: list[Graph]
    renamed: Mapping[str, str]
    """Names of calls in the old model by those in the new one."""


def paired_functions(old: Model, new: Model) -> FunctionPairs:
    """Pair functions by name, then the rest by what they compute."""
    both = [
        (graph, new.functions[key]) for key, graph in old.functions.items() if key in new.functions
    ]
    olds = {key: graph for key, graph in old.functions.items() if key not in new.functions}
    news = {key: graph for key, graph in new.functions.items() if key not in old.functions}
    renamed: dict[str, str] = {}
    if olds and news:
        waiting: dict[Hashable, list[FunctionKey]] = defaultdict(list)
        digests = _Digests(new)
        for key in news:
            waiting[digests.of(key)].append(key)
        digests = _Digests(old)
        for key in list(olds):
            alike = waiting.get(digests.of(key))
            if alike:
                twin = alike.pop(0)
                both.append((olds.pop(key), news.pop(twin)))
                renamed[_called(twin)] = _called(key)
    return FunctionPairs(both, list(olds.values()), list(news.values()), renamed)


def _called(key: FunctionKey) -> str:
    """Return the qualified name of a call."""
    domain, name, _ = key
    return f"{domain}.{name}" if domain else name


class _Digests:
    """Digests of what functions compute, in which functions that they call count by their own."""

    def __init__(self, model: Model) -> None:
        self._functions = model.functions
        self._keys = {_called(key): key for key in model.functions}
        self._found: dict[FunctionKey, Hashable] = {}

    def of(self, key: FunctionKey) -> Hashable:
        if key not in self._found:
            self._found[key] = None  # of a function that calls itself
            self._found[key] = self._digest(self._functions[key])
        return self._found[key]

    def _digest(self, graph: Graph) -> Hashable:
        side = Side(canonical(graph, Composing()))
        side.labels = {step: self._label(step) for step in side.steps}
        side.ends = {value: ("input", at) for at, value in enumerate(graph.inputs)}
        ups = side.upward({})
        results = tuple(self._results(side, graph, ups))
        return hash((len(graph.inputs), results, tuple(sorted(ups.values()))))

    def _results(
        self, side: Side, graph: Graph, ups: Mapping[CanonicalStep, int]
    ) -> Iterator[Hashable]:
        for output in graph.outputs:
            value = side.view.root(output)
            maker = side.view.makers.get(value)
            yield (ups[maker[0]], maker[1]) if maker is not None else side.ends.get(value)

    def _label(self, step: CanonicalStep) -> Hashable:
        callee = self._keys.get(step.main.qualified_op)
        return self.of(callee) if callee is not None else as_written(step)
