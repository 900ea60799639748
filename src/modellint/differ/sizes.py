"""Sizes that one exporter computes from shapes, and another one states as numbers."""

from __future__ import annotations

from collections.abc import Collection

from modellint.differ.attributes import names_of_inputs
from modellint.differ.canonical import CanonicalGraph, CanonicalStep
from modellint.differ.composed import FLATTEN
from modellint.differ.matched import Matching, Pair
from modellint.model import Shape, is_static
from modellint.operators import Trait, of

_OF_RESULTS = frozenset(("shape", "sizes", "scales", "starts", "ends"))
"""Parameters that decide about nothing but which sizes the result has, or which part it is."""


class ComputedSizes:
    """Knows what two models compute from shapes alone, and compares what comes of it."""

    def __init__(self, found: Matching, plumbing: Collection[CanonicalStep]) -> None:
        self._plumbing = plumbing
        self._views: dict[object, CanonicalGraph] = {
            view.graph: view for pair in found.views for view in pair
        }
        lost = [*found.removed, *found.added]
        self._are_alike = not any(step in plumbing for step in lost)

    def are_written_differently(self, pair: Pair) -> bool:
        """Return True for shape arithmetic of which one of the models has more."""
        return not self._are_alike and pair.old in self._plumbing and pair.new in self._plumbing

    def are_same(self, pair: Pair, name: str) -> bool:
        """Return True if a parameter leads to the same sizes, or is computed in one model.

        What is computed from shapes is only known when the model runs.
        """
        is_flat = FLATTEN in (pair.old.main.op_type, pair.new.main.op_type)
        if name not in _OF_RESULTS and not (is_flat and name == "axis"):
            return False
        shapes = [_result(step) for step in (pair.old, pair.new)]
        computed = [self._is_computed(step, name) for step in (pair.old, pair.new)]
        if any(computed):
            return not all(map(is_static, shapes)) or shapes[0] == shapes[1]
        is_view = Trait.RESHAPES in of(pair.new.main).traits
        return is_view and all(map(is_static, shapes)) and shapes[0] == shapes[1]

    def _is_computed(self, step: CanonicalStep, name: str) -> bool:
        names = names_of_inputs(step.main.op_type, step.main.domain)
        value = step.main.input(names.index(name)) if name in names else None
        view = self._views.get(step.main.graph)
        if value is None or value.tensor is not None or view is None:
            return False
        maker = view.makers.get(view.root(value))
        return maker is not None and maker[0] in self._plumbing


def _result(step: CanonicalStep) -> Shape | None:
    return step.output.shape if step.output is not None else None
