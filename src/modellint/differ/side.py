"""One of two graphs that are matched: digests of what leads to its steps and follows from them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

from modellint.differ.canonical import CanonicalGraph, CanonicalStep
from modellint.model import Value

Label = Callable[[CanonicalStep], Hashable]
Keyed = Sequence[tuple[Hashable, CanonicalStep]]
Marks = Mapping[CanonicalStep, int]


class Side:
    """One of two graphs that are matched."""

    def __init__(self, view: CanonicalGraph) -> None:
        self.view = view
        self.steps = view.steps
        self.twins: dict[CanonicalStep, CanonicalStep] = {}
        """Steps that are matched, and their twins in the other graph."""
        self.ends: dict[Value, Hashable] = {}
        """Common names of inputs and outer values."""
        self.exits: dict[Value, Hashable] = {}
        """Common names of outputs."""
        self.labels: dict[CanonicalStep, Hashable] = {}
        """Of the steps that were unmatched when they were given."""

    def unmatched(self) -> list[CanonicalStep]:
        twins = self.twins
        return [step for step in self.steps if step not in twins]

    def give_labels(self, label: Label) -> None:
        self.labels = {step: label(step) for step in self.unmatched()}

    def upward(self, marks: Marks) -> dict[CanonicalStep, int]:
        """Return a digest of all that leads to each step, up to steps that have a mark."""
        found = dict(marks)
        makers, ends, labels = self.view.makers, self.ends, self.labels
        for step in self.unmatched():
            parts: list[Hashable] = []
            for at, value in enumerate(step.inputs):
                if value is None or value.tensor is not None:
                    continue
                slot = -1 if step.is_commutative else at
                maker = makers.get(value)
                if maker is None:
                    parts.append((slot, ends.get(value)))
                else:
                    parts.append((slot, found.get(maker[0], 0), maker[1]))
            if step.is_commutative:
                parts.sort(key=hash)
            found[step] = hash((labels[step], tuple(parts)))
        return found

    def downward(self, marks: Marks) -> dict[CanonicalStep, int]:
        """Return a digest of all that follows from each step, up to steps that have a mark."""
        found = dict(marks)
        readers, exits, labels = self.view.readers, self.exits, self.labels
        for step in reversed(self.unmatched()):
            parts: list[int] = []
            for at, value in enumerate(step.outputs):
                if value is None:
                    continue
                if value in exits:
                    parts.append(hash((at, exits[value])))
                for reader, place in readers.get(value, ()):
                    slot = -1 if reader.is_commutative else place
                    parts.append(hash((at, slot, found.get(reader, 0))))
            parts.sort()
            found[step] = hash((labels[step], tuple(parts)))
        return found

    def before(self, step: CanonicalStep) -> list[tuple[CanonicalStep, int] | None]:
        """Return what makes each input of a step."""
        makers = self.view.makers
        return [makers.get(value) if value is not None else None for value in step.inputs]

    def readers(self, value: Value) -> Sequence[tuple[CanonicalStep, int]]:
        return self.view.readers.get(value, ())

    def after(self, step: CanonicalStep) -> Iterator[tuple[int, CanonicalStep, int]]:
        """Iterate over the readers of a step's outputs: which output, who, at which input."""
        for at, value in enumerate(step.outputs):
            for reader, place in self.readers(value) if value is not None else ():
                yield at, reader, -1 if reader.is_commutative else place


Onward = Callable[[Side, CanonicalStep], list[CanonicalStep]]


def following(side: Side, step: CanonicalStep) -> list[CanonicalStep]:
    return [reader for _, reader, _ in side.after(step)]


def leading(side: Side, step: CanonicalStep) -> list[CanonicalStep]:
    return [maker[0] for maker in side.before(step) if maker is not None]


def neighbors(side: Side, step: CanonicalStep) -> list[CanonicalStep]:
    return [*leading(side, step), *following(side, step)]
