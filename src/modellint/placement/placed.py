"""The placement of a model: plain facts about its nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from modellint.base.records import dataclass
from modellint.model import Node, Value

Cause = Literal["operator", "refused", "type", "form", "open-dims", "precision", "neighbor"]
"""`refused`: the runtime builds nothing of a model with it, although it leaves others."""


@dataclass(frozen=True, slots=True)
class NotTaken:
    """The reason why an accelerator does not take a node."""

    cause: Cause
    words: str
    """The reason, as the end of a sentence that begins with the operator."""


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """Nodes that run on one unit before another one takes over."""

    unit: str
    nodes: tuple[Node, ...]
    macs: int | None
    written_out: tuple[Node, ...] = ()
    """Nodes of which it only has some pieces; they count for the other unit."""


@dataclass(frozen=True, slots=True, eq=False)
class Boundary:
    """A value that one unit computes and another one reads."""

    value: Value
    source: str
    """Unit that computes it."""
    reader: str
    """Unit that reads it."""
    nbytes: int | None
    node: Node
    """The node on the fallback that causes the crossing."""
    refusal: NotTaken


@dataclass(frozen=True, slots=True, eq=False)
class Merge:
    """The effect of a change that makes the accelerator take some nodes."""

    nodes: tuple[Node, ...]
    refusal: NotTaken
    partitions: int
    """Number of partitions on the accelerator after it."""


@dataclass(frozen=True, slots=True, eq=False)
class UnitPlacement:
    """Units of all nodes of the main graph that run."""

    unit: str
    """The accelerator."""
    fallback: str
    """The unit of all other nodes; empty if there is none."""
    partitions: tuple[Partition, ...]
    """In the order in which they run."""
    refusals: Mapping[int, NotTaken]
    """By the id of each node that is not taken."""
    boundaries: tuple[Boundary, ...] = ()
    merges: tuple[Merge, ...] = ()
    """The changes that save most, best first."""
    nodes: tuple[Node, ...] = ()
    """All nodes that run, in order."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """Share of the MACs by unit; empty if unknown."""
    runtime: str = ""
    """The runtime whose table says what the accelerator takes."""
    version: str | None = None
    """Release of the runtime that its table describes."""
    measured: bool = False
    """True if the table was measured with the runtime itself."""
    article: str = "the "
    """Its article in a sentence."""
    most: int = 0
    """Most partitions that the accelerator can have; 0 for any number."""

    @property
    def accelerated(self) -> list[Partition]:
        return [each for each in self.partitions if each.unit == self.unit]

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of nodes by unit."""
        counts = {self.unit: len(self.nodes) - len(self.refusals)}
        if self.refusals:
            counts[self.fallback or "nowhere"] = len(self.refusals)
        return counts

    @property
    def is_whole(self) -> bool:
        """Return True if everything runs on the accelerator, at once."""
        return bool(self.nodes) and not self.refusals

    @property
    def crossing_bytes(self) -> int | None:
        """Return the bytes that are copied between units in a run."""
        sizes = [each.nbytes for each in self.boundaries]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    def refusal_of(self, node: Node) -> NotTaken | None:
        return self.refusals.get(id(node))
