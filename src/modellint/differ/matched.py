"""Result of matching: operations that both models have, and those that only one has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from modellint.base.records import dataclass
from modellint.differ.canonical import CanonicalGraph, CanonicalStep
from modellint.model import Model, Node, Value


@dataclass(frozen=True, slots=True)
class Pair:
    """One operation in both models."""

    old: CanonicalStep
    new: CanonicalStep


@dataclass(slots=True)
class Matching:
    """The parts of two models, as far as both have them."""

    old: Model
    new: Model
    pairs: list[Pair] = field(default_factory=list)
    """In the order of the new model."""
    replaced: list[Pair] = field(default_factory=list)
    """Steps of different operators in the same place."""
    removed: list[CanonicalStep] = field(default_factory=list)
    added: list[CanonicalStep] = field(default_factory=list)
    light: list[tuple[Node, Node]] = field(default_factory=list)
    """Nodes that are seen through, such as quantizers, found in both."""
    light_removed: list[Node] = field(default_factory=list)
    light_added: list[Node] = field(default_factory=list)
    values: dict[Value, Value] = field(default_factory=dict)
    """Inputs, weights and results of the old steps, and their counterparts in the new ones."""
    inputs: list[tuple[Value | None, Value | None]] = field(default_factory=list)
    outputs: list[tuple[Value | None, Value | None]] = field(default_factory=list)
    views: list[tuple[CanonicalGraph, CanonicalGraph]] = field(default_factory=list)

    def nodes(self) -> dict[Node, Node]:
        """Return each node of the old model that is also in the new one, and that one."""
        found = dict(self.light)
        for pair in self.pairs:
            if len(pair.old.nodes) == len(pair.new.nodes):
                found.update(zip(pair.old.nodes, pair.new.nodes, strict=True))
            else:
                found[pair.old.main] = pair.new.main
        return found


def paired_weights(pair: Pair) -> Iterator[tuple[Value, Value]]:
    """Iterate over the weights of a step and their counterparts in the other model."""
    old, new = dict(pair.old.weights()), dict(pair.new.weights())
    if pair.new.is_commutative and len(old) == len(new) == 1:
        yield next(iter(old.values())), next(iter(new.values()))
        return
    for at, value in old.items():
        if at in new:
            yield value, new[at]
