"""Units that the nodes of a model run on."""

from __future__ import annotations

from typing import Annotated

from modellint.base.records import dataclass


@dataclass(frozen=True, slots=True)
class PlacedPart:
    """Nodes that run on one unit before another one takes over."""

    unit: str
    nodes: Annotated[int, "0 if it runs only pieces of nodes, of those from `first` to `last`."]
    first: str
    last: str
    macs: Annotated[int | None, "Null if unknown."]


@dataclass(frozen=True, slots=True)
class Crossing:
    """A value that one unit computes and another one reads."""

    value: str
    source: Annotated[str, "Unit that computes it."]
    reader: Annotated[str, "Unit that reads it."]
    bytes: Annotated[int | None, "Bytes to copy in a run; null if unknown."]
    node: Annotated[str, "Node that is not taken, and so causes the crossing."]
    reason: str


@dataclass(frozen=True, slots=True)
class LeftNodes:
    """Nodes that the accelerator does not take, for one reason."""

    op: str
    nodes: int
    first: str
    cause: Annotated[str, "operator, type, form, open-dims, precision or neighbor."]
    reason: Annotated[str, "The end of a sentence that begins with the operator."]


@dataclass(frozen=True, slots=True)
class Saving:
    """The effect of a change that makes the accelerator take some nodes."""

    op: str
    nodes: int
    first: str
    cause: Annotated[str, "As in `left`; open-dims is about fixing all of them."]
    reason: str
    partitions: Annotated[int, "Partitions on the accelerator after it."]


@dataclass(frozen=True, slots=True)
class Placed:
    """Units that the nodes of a model run on."""

    runtime: str
    version: Annotated[str | None, "Release that its tables describe."]
    measured: Annotated[bool, "True if they were measured with the runtime itself."]
    accelerator: str
    fallback: Annotated[str, "Unit of all other nodes; empty if there is none."]
    partitions: Annotated[int, "Partitions on the accelerator."]
    nodes: Annotated[dict[str, int], "Number of nodes by unit."]
    macs: Annotated[dict[str, float], "Share of the MACs by unit; empty if unknown."]
    crossing_bytes: Annotated[int | None, "Bytes copied between units in a run."]
    parts: Annotated[list[PlacedPart], "In the order in which they run."]
    boundaries: list[Crossing]
    left: Annotated[list[LeftNodes], "What is not taken and why, most nodes first."]
    savings: Annotated[list[Saving], "Changes that leave fewer partitions, best first."]
    most_partitions: Annotated[
        int | None, "Partitions that one core of the accelerator can load; null for any number."
    ] = None
