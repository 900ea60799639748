"""Differences of nodes, as the matching of two models finds them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from itertools import pairwise
from math import isclose

from modellint.differ.attributes import newest_default, opset_of, stated
from modellint.differ.canonical import CanonicalGraph, CanonicalStep
from modellint.differ.composed import LAYERS
from modellint.differ.crossing import is_crossing
from modellint.differ.folded import folded_activations
from modellint.differ.geometry import NOT_COMPARED, differing
from modellint.differ.matched import Matching, Pair
from modellint.differ.sizes import ComputedSizes
from modellint.model import Node
from modellint.operators import Trait, having
from modellint.results.difference import (
    AttributeChange,
    InputChange,
    NodeChange,
    NodeDifference,
    NodePlace,
    Plain,
    Replacement,
    Rewriting,
)

_SHAPES = having(Trait.READS_SHAPE)
_VIEWS = having(Trait.RESHAPES)
_COMPUTING = having(Trait.ACTIVATION, Trait.FLOAT_PRODUCT, Trait.NORMALIZATION, Trait.SOFTMAX)
_LONGEST = 64
"""Numbers of an attribute that are listed."""
_HALF = 2**-10
"""Relative precision of half floats."""


def node_difference(found: Matching, *, converted: bool) -> NodeDifference:
    """Return the differences of nodes; numbers that a narrow type rounds are equal.

    `converted` says that the floats of the models have different types.
    """
    folded = folded_activations(found)
    plumbing = _of_shapes(view for pair in found.views for view in pair)
    changes = _Changes(found, converted, plumbing)
    removed = [step for step in found.removed if step not in folded]
    return NodeDifference(
        matched=len(found.pairs),
        changed=[*changes.all(), *changes.of_light(found.light)],
        replaced=[Replacement(place(p.old.main), place(p.new.main)) for p in found.replaced],
        removed=[place(step.main) for step in removed if step not in plumbing],
        added=[place(step.main) for step in found.added if step not in plumbing],
        rewritten=list(_rewritings(found.pairs, is_crossing(found.old, found.new))),
        reordered=_is_reordered(found.pairs),
        renamed=sum(pair.old.main.name != pair.new.main.name for pair in found.pairs),
        plumbing_removed=_counts(removed, found.light_removed, plumbing),
        plumbing_added=_counts(found.added, found.light_added, plumbing),
        folded=dict(Counter(step.op for step in folded).most_common()),
        not_compared=list(NOT_COMPARED) if is_crossing(found.old, found.new) else [],
    )


def place(node: Node) -> NodePlace:
    return NodePlace(node.label, node.qualified_op, node.graph.path)


class _Changes:
    """Changes of operations that both models have."""

    def __init__(self, found: Matching, converted: bool, plumbing: set[CanonicalStep]) -> None:
        self._pairs = found.pairs
        self._sizes = ComputedSizes(found, plumbing)
        self._values = found.values
        self._known = set(found.values.values())
        self._is_converted = converted
        self._is_crossing = is_crossing(found.old, found.new)
        self._tolerance = _HALF if converted else 1e-6

    def all(self) -> Iterator[NodeChange]:
        for pair in self._pairs:
            if self._sizes.are_written_differently(pair):
                continue
            attributes = list(self._changed(pair))
            inputs = list(self._inputs(pair))
            if attributes or inputs:
                yield NodeChange(place(pair.old.main), place(pair.new.main), attributes, inputs)

    def _changed(self, pair: Pair) -> Iterator[AttributeChange]:
        if self._is_crossing:
            kinds = ({_FUSED: step.attributes.get(_FUSED)} for step in (pair.old, pair.new))
            yield from self._attributes(*kinds)
            for aspect in differing(pair):
                yield AttributeChange(aspect.name, _plain(aspect.old), _plain(aspect.new))
        else:
            stated = self._attributes(*_stated_by(pair))
            yield from (each for each in stated if not self._sizes.are_same(pair, each.name))
            if pair.old.form == pair.new.form or pair.old.op not in _VIEWS:
                yield from self._axes(pair)

    def of_light(self, light: Iterable[tuple[Node, Node]]) -> Iterator[NodeChange]:
        """Iterate over changes of nodes that are seen through, such as the type of a Cast."""
        for before, after in light if not (self._is_converted or self._is_crossing) else ():
            if before.attributes.keys() != after.attributes.keys():
                continue  # another version of the operator
            attributes = list(self._attributes(_stated(before), _stated(after)))
            if attributes:
                yield NodeChange(place(before), place(after), attributes, [])

    def _attributes(
        self, old: Mapping[str, object], new: Mapping[str, object]
    ) -> Iterator[AttributeChange]:
        if old == new:
            return
        for name in sorted({*old, *new} - {*_AXES}):
            if not self._are_same(old.get(name), new.get(name)):
                yield AttributeChange(name, _plain(old.get(name)), _plain(new.get(name)))

    def _axes(self, pair: Pair) -> Iterator[AttributeChange]:
        """Iterate over changes of axes, each of which has two names where the rank is known."""
        for name in _AXES:
            old, new = pair.old.attributes.get(name), pair.new.attributes.get(name)
            if self._are_same(old, new) or _counted(pair.old, name) == _counted(pair.new, name):
                continue
            yield AttributeChange(name, _plain(old), _plain(new))

    def _are_same(self, one: object, other: object) -> bool:
        if isinstance(one, tuple) and isinstance(other, tuple):
            return len(one) == len(other) and all(map(self._are_same, one, other))
        if isinstance(one, tuple) != isinstance(other, tuple):
            one, other = (
                each[0] if isinstance(each, tuple) and len(each) == 1 else each
                for each in (one, other)
            )
        if one != one and other != other:  # NaN, of complex numbers too
            return True
        if isinstance(one, float) and isinstance(other, float | int):
            return one == other or isclose(one, other, rel_tol=self._tolerance)
        return one == other

    def _inputs(self, pair: Pair) -> Iterator[InputChange]:
        """Iterate over inputs that come from elsewhere, though both sources are in both models."""
        old, new = pair.old.inputs, pair.new.inputs
        if pair.new.is_commutative:
            yield from self._swapped(pair)
            return
        for at, (before, after) in enumerate(zip(old, new, strict=False)):
            if before is None or after is None or before.tensor or after.tensor:
                continue
            twin = self._values.get(before)
            if twin is not None and twin is not after and after in self._known:
                yield InputChange(at, before.name, after.name)

    def _swapped(self, pair: Pair) -> Iterator[InputChange]:
        before = [v for v in pair.old.inputs if v is not None and v.tensor is None]
        after = [v for v in pair.new.inputs if v is not None and v.tensor is None]
        twins = [self._values.get(value) for value in before]
        gone = [v for v, twin in zip(before, twins, strict=True) if twin and twin not in after]
        come = [value for value in after if value in self._known and value not in twins]
        for one, other in zip(gone, come, strict=False):
            yield InputChange(pair.new.inputs.index(other), one.name, other.name)


_AXES = ("axis", "axes")
_FUSED = "activation"
"""Function that an operator ends in, in formats that fuse it."""
_LAYOUT = "transB"
"""An attribute of layers that says how their weight is stored."""


def _stated_by(pair: Pair) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """Return the attributes of both steps; of layers in one form, also those of that form."""
    old, new = pair.old, pair.new
    crossing = is_crossing(old.main.graph.model, new.main.graph.model)
    if crossing or old.op not in LAYERS or old.form != new.form:
        return old.attributes, new.attributes
    one, other = (
        {**step.attributes, **{k: v for k, v in _stated(step.main).items() if k != _LAYOUT}}
        for step in (old, new)
    )
    return one, other


def _stated(node: Node) -> Mapping[str, object]:
    return stated(node, opset_of(node.graph.model))


def _counted(step: CanonicalStep, name: str) -> object:
    """Return axes counted from the front, if the rank is known."""
    stated = step.attributes.get(name)
    stated = newest_default(step.main, name) if stated is None else stated
    axes = stated if isinstance(stated, tuple) else (stated,)
    value = step.main.input(0)
    shape = value.shape if value is not None else None
    if shape is None or not all(isinstance(axis, int) for axis in axes):
        return stated
    reordered = step.op != "Slice"  # which has a start and an end for each
    counted = [axis + len(shape) if axis < 0 else axis for axis in axes]
    return tuple(sorted(counted) if reordered else counted)


def _rewritings(pairs: Iterable[Pair], crossing: bool) -> Iterator[Rewriting]:
    """Iterate over other ways of writing; in another format, over those with more operators."""
    counts: Counter[tuple[tuple[str, ...], tuple[str, ...]]] = Counter()
    first: dict[Hashable, str] = {}
    for pair in pairs:
        forms = pair.old.form, pair.new.form
        is_one_for_one = crossing and len(forms[0]) == len(forms[1])
        if forms[0] != forms[1] and not is_one_for_one:
            counts[forms] += 1
            first.setdefault(forms, pair.new.main.label)
    for forms, count in counts.most_common():
        yield Rewriting(list(forms[0]), list(forms[1]), count, first[forms])


def _is_reordered(pairs: Iterable[Pair]) -> bool:
    mains = [(pair.old.main, pair.new.main) for pair in pairs]
    mains.sort(key=lambda pair: (id(pair[0].graph), pair[0].index))
    return any(
        one[0].graph is other[0].graph and one[1].index > other[1].index
        for one, other in pairwise(mains)
    )


def _of_shapes(views: Iterable[CanonicalGraph]) -> set[CanonicalStep]:
    """Return the steps that compute with nothing but shapes and constants."""
    found: set[CanonicalStep] = set()
    for view in views:
        for step in view.steps:
            makers = [
                view.makers.get(value)
                for value in step.inputs
                if value is not None and value.tensor is None
            ]
            if step.op in _COMPUTING:
                continue
            if step.op in _SHAPES or all(each is not None and each[0] in found for each in makers):
                found.add(step)
    return found


def _counts(
    steps: Iterable[CanonicalStep], light: Iterable[Node], plumbing: set[CanonicalStep]
) -> dict[str, int]:
    counts = Counter(node.qualified_op for step in steps if step in plumbing for node in step.nodes)
    counts.update(node.qualified_op for node in light)
    return dict(counts.most_common())


def _plain(value: object) -> Plain:
    if isinstance(value, tuple):
        listed = [each if isinstance(each, int | float | str) else str(each) for each in value]
        return listed[:_LONGEST]  # type: ignore[return-value]
    if isinstance(value, bytes):
        return value[:_LONGEST].decode("utf-8", "replace")
    return value if value is None or isinstance(value, int | float | str | bool) else str(value)
