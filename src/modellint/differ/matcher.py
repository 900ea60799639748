"""Pairs of steps of two graphs, found by structure, whatever the names.

Each step of the canonical view has digests of all that leads to it and of all that follows from it.
Digests that one step of each graph has make anchors, and what is matched makes the digests of its
neighbours comparable in turn. What says most is compared first: attributes and shapes of
weights, then ranks, then operators alone. What is left is aligned in order between its anchors.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import chain, islice

from modellint.differ.alignment import aligned, increasing
from modellint.differ.canonical import CanonicalGraph, CanonicalStep
from modellint.differ.crossing import common_kind
from modellint.differ.ends import kind_of_end, paired_ends
from modellint.differ.labels import (
    as_written,
    by_operator,
    by_ranks,
    in_common,
    largest_weight,
    sampled,
    weak_name,
)
from modellint.differ.matched import Matching, Pair, paired_weights
from modellint.differ.seen_through import match_seen_through
from modellint.differ.side import Keyed, Label, Onward, Side, following, leading, neighbors
from modellint.model import Value

ROUNDS = 4
"""Times that anchors are looked for at each level: each round starts from those of the last."""
MOST_SAMPLED = 256
"""Maximum size of a symmetric group whose weights are sampled and compared."""
FURTHEST = 3
"""Steps from a matched one at which others are looked for past those that have no twin."""
BROADEST = 6


class Matcher:
    """Matches the steps of two graphs."""

    def __init__(
        self, old: CanonicalGraph, new: CanonicalGraph, outer: Mapping[Value, Value]
    ) -> None:
        self.old, self.new = Side(old), Side(new)
        self.crossing = old.crossing
        kind = common_kind if self.crossing else kind_of_end
        self.inputs = paired_ends(old.graph.inputs, new.graph.inputs, kind)
        self.outputs = paired_ends(old.graph.outputs, new.graph.outputs, kind)
        self.replaced: list[Pair] = []
        self._matched: list[tuple[CanonicalStep, CanonicalStep]] = []
        """All pairs, in the order they were found."""
        self._spread_to = 0
        """The pairs before have had their neighbours looked at."""
        for at, pair in enumerate(self.inputs):
            name = self._name_of(pair, ("input", at))
            for side, value in zip((self.old, self.new), pair, strict=True):
                if value is not None:
                    side.ends[value] = name or ("new input", kind_of_end(value))
        for at, pair in enumerate(self.outputs):
            name = self._name_of(pair, ("output", at))
            for side, value in zip((self.old, self.new), pair, strict=True):
                if value is not None:
                    side.exits[side.view.root(value)] = name or ("new output",)
        for value in {v: None for step in old.steps for v in step.inputs if v is not None}:
            if value.graph is not old.graph and value in outer:
                name = ("outer", id(value))
                self.old.ends[value] = self.new.ends[outer[value]] = name

    def _name_of(
        self, pair: tuple[Value | None, Value | None], name: tuple[str, int]
    ) -> tuple[Hashable, ...] | None:
        """Return a common name for an input or output; those that look alike may be swapped."""
        one, other = pair
        if one is None or other is None:
            return None
        return common_kind(one) if self.crossing and one.name != other.name else name

    def record(self, found: Matching) -> None:
        twins = self.new.twins
        pairs = [Pair(twins[step], step) for step in self.new.steps if step in twins]
        found.pairs += pairs
        found.replaced += self.replaced
        replaced = {step for pair in self.replaced for step in (pair.old, pair.new)}
        found.removed += [step for step in self.old.unmatched() if step not in replaced]
        found.added += [step for step in self.new.unmatched() if step not in replaced]
        for one, other in self.inputs:
            if one is not None and other is not None:
                found.values[one] = other
        for pair in chain(pairs, self.replaced):
            for before, after in zip(pair.old.outputs, pair.new.outputs, strict=False):
                if before is not None and after is not None:
                    found.values[before] = after
        for pair in pairs:
            for before, after in paired_weights(pair):
                found.values.setdefault(before, after)
        graph = self.old.view.graph
        if graph is found.old.graph:
            found.inputs, found.outputs = self.inputs, self.outputs
        found.views.append((self.old.view, self.new.view))
        match_seen_through(found, self.old.view, self.new.view)

    # Levels

    def run(self) -> None:
        whole: Label = in_common if self.crossing else as_written
        weaker = (by_operator,) if self.crossing else (by_ranks, by_operator)
        surest = 0
        for label in (whole, *weaker):
            surest = len(self._matched)
            for side in (self.old, self.new):
                side.give_labels(label)
            if label is whole:
                self._anchor(both_ways=True)
                if not self._is_done():
                    self._match_by_weights()
            else:
                self._spread_again()
            for _ in range(ROUNDS):
                if self._is_done() or not (self._anchor() | self._bridge()):
                    break
        for _ in range(2):
            if not self._is_done() and not self._align():
                break
        self._doubt(surest)
        self._replace()

    def _is_done(self) -> bool:
        matched = len(self.old.twins)
        return matched == len(self.old.steps) or matched == len(self.new.steps)

    def _anchor(self, *, both_ways: bool = False) -> bool:
        """Match steps whose digest no other has; return True if there were any.

        With `both_ways`, only by what leads to a step and what follows from it at once.
        """
        matched = len(self.old.twins)
        old_marks = {step: hash(("matched", step.index)) for step in self.old.twins}
        new_marks = {twin: old_marks[step] for step, twin in self.old.twins.items()}
        sides = ((self.old, old_marks), (self.new, new_marks))
        up = [side.upward(marks) for side, marks in sides]
        down = [side.downward(marks) for side, marks in sides]
        both = [
            {step: hash((ups[step], downs[step])) for step in side.unmatched()}
            for (side, _), ups, downs in zip(sides, up, down, strict=True)
        ]
        symmetric: list[tuple[list[CanonicalStep], list[CanonicalStep]]] = []
        for keys in (both,) if both_ways else (both, up, down):
            olds = _grouped(self.old.unmatched(), keys[0])
            news = _grouped(self.new.unmatched(), keys[1])
            for key, group in olds.items():
                twins = news.get(key, [])
                if len(group) == len(twins) == 1:
                    self._match(group[0], twins[0])
                elif len(group) == len(twins) and keys is both:
                    symmetric.append((group, twins))
            self._spread()
        for group, twins in symmetric:
            self._match_symmetric(group, twins)
        return len(self.old.twins) > matched

    def _match(self, old: CanonicalStep, new: CanonicalStep) -> None:
        if old not in self.old.twins and new not in self.new.twins:
            self.old.twins[old] = new
            self.new.twins[new] = old
            self._matched.append((old, new))

    def _spread(self) -> None:
        """Match the neighbours of matched steps, where only one of each side may be meant."""
        while self._spread_to < len(self._matched):
            self._spread_from(*self._matched[self._spread_to])
            self._spread_to += 1

    def _spread_again(self) -> None:
        """Do so for all pairs, whose neighbours have other labels now."""
        for pair in self._edge():
            self._spread_from(*pair)
        self._spread()

    def _spread_from(self, old: CanonicalStep, new: CanonicalStep) -> None:
        self._match_sources(old, new)
        self._match_readers(old, new)

    def _edge(self) -> list[tuple[CanonicalStep, CanonicalStep]]:
        """Return the pairs that have a neighbour in the old graph without a twin, in order."""
        near = {step for each in self.old.unmatched() for step in neighbors(self.old, each)}
        return [pair for pair in self._matched if pair[0] in near]

    def _match_sources(self, old: CanonicalStep, new: CanonicalStep) -> None:
        sources, others = self.old.before(old), self.new.before(new)
        if not old.is_commutative:
            for one, other in zip(sources, others, strict=False):
                if one is not None and other is not None and one[1] == other[1]:
                    self._match_alike(one[0], other[0])
            return
        olds = [one[0] for one in sources if one is not None and one[0] not in self.old.twins]
        news = [one[0] for one in others if one is not None and one[0] not in self.new.twins]
        self._match_alone(
            [(self.old.labels[step], step) for step in olds],
            [(self.new.labels[step], step) for step in news],
        )

    def _match_alike(self, old: CanonicalStep, new: CanonicalStep) -> None:
        if old in self.old.twins or new in self.new.twins:
            return
        if self.old.labels[old] == self.new.labels[new]:
            self._match(old, new)

    def _match_readers(self, old: CanonicalStep, new: CanonicalStep) -> None:
        olds, news = (
            [
                ((at, place, side.labels[reader]), reader)
                for at, reader, place in side.after(step)
                if reader not in side.twins
            ]
            for side, step in ((self.old, old), (self.new, new))
        )
        self._match_alone(olds, news)

    def _match_alone(self, olds: Keyed, news: Keyed) -> bool:
        """Match steps with a key that no other has; return True if there were any."""
        pairs = list(_alone(olds, news))
        for old, new in pairs:
            self._match(old, new)
        return bool(pairs)

    # Steps that look alike

    def _match_symmetric(self, group: list[CanonicalStep], twins: list[CanonicalStep]) -> None:
        """Match steps that have the same place in both graphs: by names, weights, and order."""
        for tell in (weak_name, sampled if len(group) <= MOST_SAMPLED else weak_name):
            group = [step for step in group if step not in self.old.twins]
            twins = [step for step in twins if step not in self.new.twins]
            if len(group) > 1:
                self._match_alone([(tell(s), s) for s in group], [(tell(s), s) for s in twins])
                self._spread()
        for one in group:
            rest = next((step for step in twins if step not in self.new.twins), None)
            if one not in self.old.twins and rest is not None:
                self._match(one, rest)
                self._spread()

    def _match_by_weights(self) -> None:
        """Match steps by the values of their weights, then by their names."""
        for tell in (sampled, weak_name):
            keyed = [
                [((step.op, key), step) for step in side.unmatched() if (key := tell(step))]
                for side in (self.old, self.new)
            ]
            self._match_alone(*keyed)
            self._spread()

    # What is left

    def _bridge(self) -> bool:
        """Match steps past some that only one of the models has; return True if there were any."""
        matched = len(self.old.twins)
        for one, other in self.inputs:
            if one is not None and other is not None:
                self._join(
                    [s for s, _ in self.old.readers(one)],
                    [s for s, _ in self.new.readers(other)],
                    following,
                )
        self._spread()
        onwards = islice(self._matched, len(self._matched), None)
        for old, new in chain(self._edge(), onwards):
            for onward in (following, leading):
                olds = [near for near in onward(self.old, old) if near not in self.old.twins]
                if olds:  # as seldom
                    self._join(olds, onward(self.new, new), onward)
            self._spread()
        return len(self.old.twins) > matched

    def _join(
        self, olds: Sequence[CanonicalStep], news: Sequence[CanonicalStep], onward: Onward
    ) -> None:
        """Match the nearest steps that look alike, a few of unmatched ones away."""
        left, right = self._rings(self.old, olds, onward), self._rings(self.new, news, onward)
        for far in range(len(left) + len(right) - 1):
            for at in range(max(0, far - len(right) + 1), min(far + 1, len(left))):
                if self._match_alone(left[at], right[far - at]):
                    return

    def _rings(
        self, side: Side, ring: Sequence[CanonicalStep], onward: Onward
    ) -> list[list[tuple[Hashable, CanonicalStep]]]:
        """Return the unmatched steps at each distance, with their labels."""
        found: list[list[tuple[Hashable, CanonicalStep]]] = []
        for _ in range(FURTHEST):
            ring = [near for near in dict.fromkeys(ring) if near not in side.twins]
            if not ring or len(ring) > BROADEST:
                break
            found.append([(side.labels[near], near) for near in ring])
            ring = [near for each in ring for near in onward(side, each)]
        return found

    def _align(self) -> bool:
        """Match the rest in order, between matched steps; return True if any were matched."""
        matched = len(self.old.twins)
        twins = list(self.old.twins.items())
        twins.sort(key=lambda pair: pair[0].index)
        fixed = [twins[at] for at in increasing([new.index for _, new in twins])]
        start = begin = 0
        edges = [(old.index, new.index) for old, new in fixed]
        for end, stop in [*edges, (len(self.old.steps), len(self.new.steps))]:
            olds = [s for s in self.old.steps[start:end] if s not in self.old.twins]
            news = [s for s in self.new.steps[begin:stop] if s not in self.new.twins]
            if olds and news:
                pairs = aligned([s.op for s in olds], [s.op for s in news])
                for one, other in ((olds[at], news[place]) for at, place in pairs):
                    if self._are_related(one, other):
                        self._match(one, other)
            start, begin = end, stop
        self._spread()
        return len(self.old.twins) > matched

    def _doubt(self, surest: int) -> None:
        """Part steps that were matched by their operator alone, if nothing else is the same."""
        for old, new in self._matched[surest:]:
            if old.attributes == new.attributes or largest_weight(old) is not None:
                continue
            source, other = leading(self.old, old)[:1], leading(self.new, new)[:1]
            if [self.old.twins.get(step) for step in source] != other:
                del self.old.twins[old], self.new.twins[new]

    def _are_related(self, old: CanonicalStep, new: CanonicalStep) -> bool:
        """Return True if two steps have a neighbour in common, or weights of the same shape."""
        shapes = [value.tensor.shape for _, value in old.weights() if value.tensor is not None]
        if shapes and shapes == [v.tensor.shape for _, v in new.weights() if v.tensor is not None]:
            return True
        near = {self.old.twins.get(step) for step in neighbors(self.old, old)} - {None}
        return not near.isdisjoint(neighbors(self.new, new))

    def _replace(self) -> None:
        """Find steps of different operators between the same neighbours."""
        waiting: dict[Hashable, list[CanonicalStep]] = defaultdict(list)
        for step in self.new.unmatched():
            waiting[self._place(self.new, step)].append(step)
        for step in self.old.unmatched():
            place = self._place(self.old, step)
            others = waiting.get(place, [])
            if place is not None and len(others) == 1:
                self.replaced.append(Pair(step, others.pop()))

    def _place(self, side: Side, step: CanonicalStep) -> Hashable:
        """Return the producers and consumers of a step, if all of them are matched."""
        is_old = side is self.old
        sources: list[Hashable] = []
        for maker, value in zip(side.before(step), step.inputs, strict=True):
            if maker is not None:
                if maker[0] not in side.twins:
                    return None
                sources.append((self._number(maker[0], is_old), maker[1]))
            elif value is not None and value.tensor is None:
                sources.append(side.ends.get(value))
        readers = []
        for at, reader, _ in side.after(step):
            if reader not in side.twins:
                return None
            readers.append((at, self._number(reader, is_old)))
        exits = [side.exits.get(value) for value in step.outputs if value is not None]
        if not sources or not (readers or any(exits)):
            return None
        return sources[0], tuple(sorted(readers)), tuple(exits)

    def _number(self, step: CanonicalStep, is_old: bool) -> int:
        return (step if is_old else self.new.twins[step]).index


def _grouped(
    steps: Sequence[CanonicalStep], keys: Mapping[CanonicalStep, int]
) -> dict[int, list[CanonicalStep]]:
    groups: dict[int, list[CanonicalStep]] = {}
    for step in steps:
        groups.setdefault(keys[step], []).append(step)
    return groups


def _alone(olds: Keyed, news: Keyed) -> Iterator[tuple[CanonicalStep, CanonicalStep]]:
    """Iterate over pairs with a key that no other step has."""
    if not olds or not news:
        return
    if len(olds) == len(news) == 1:  # as nearly always
        if olds[0][0] == news[0][0]:
            yield olds[0][1], news[0][1]
        return
    once: list[dict[Hashable, CanonicalStep | None]] = []
    for keyed in (olds, news):
        found: dict[Hashable, CanonicalStep | None] = {}
        for key, step in keyed:
            found[key] = step if found.get(key, step) is step else None
        once.append(found)
    for key, found_old in once[0].items():
        found_new = once[1].get(key)
        if found_old is not None and found_new is not None:
            yield found_old, found_new
