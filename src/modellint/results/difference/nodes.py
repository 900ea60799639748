"""Nodes that both models have, and those that only one has."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from modellint.base.records import dataclass

Plain = int | float | str | bool | list[int] | list[float] | list[str] | None
"""The value of an attribute."""


@dataclass(frozen=True, slots=True)
class NodePlace:
    """A node of one of the models."""

    name: str
    op_type: str
    graph: Annotated[str, "Path of the graph, `main` or the name that the file gives it."]


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """An attribute, or a constant input that is one in another version of the operator."""

    name: str
    old: Annotated[Plain, "Null if the node does not state it."]
    new: Annotated[Plain, "Null if the node does not state it."]


@dataclass(frozen=True, slots=True)
class InputChange:
    """An input that comes from elsewhere."""

    index: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class NodeChange:
    """A node that both models have, and what is different."""

    old: NodePlace
    new: NodePlace
    attributes: list[AttributeChange]
    inputs: list[InputChange]


@dataclass(frozen=True, slots=True)
class Replacement:
    """A node that replaces another one."""

    old: NodePlace
    new: NodePlace


@dataclass(frozen=True, slots=True)
class Rewriting:
    """Operations that both models have, written with different operators."""

    old: Annotated[list[str], "Operators of the old model."]
    new: Annotated[list[str], "Operators of the new model."]
    count: int
    first: Annotated[str, "Name of the first node in the new model."]


@dataclass(frozen=True, slots=True)
class NodeDifference:
    """Nodes that are the same, changed, or only in one of the models."""

    matched: Annotated[int, "Operations that both models have."]
    changed: list[NodeChange]
    replaced: list[Replacement]
    removed: list[NodePlace]
    added: list[NodePlace]
    rewritten: list[Rewriting]
    reordered: Annotated[bool, "True if the matched operations are in another order."]
    renamed: Annotated[int, "Matched operations with another name."]
    plumbing_removed: Annotated[
        dict[str, int],
        "By operator: nodes that change no numbers but their type or place, and arithmetic on "
        "shapes or constants.",
    ]
    plumbing_added: Annotated[dict[str, int], "The same for nodes of the new model."]
    folded: Annotated[
        dict[str, int], "By operator: activations that are now the range of a quantizer."
    ]
    not_compared: Annotated[
        list[str], "What cannot be compared between the two formats; empty within one format."
    ] = field(default_factory=list)

    @property
    def is_same(self) -> bool:
        """Return True if all operations are the same, though they may be written differently."""
        return not (self.changed or self.replaced or self.removed or self.added or self.folded)


@dataclass(frozen=True, slots=True)
class CountChange:
    """Number of items of a kind, in each model."""

    kind: str
    old: int
    new: int
