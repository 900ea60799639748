"""A model's graph as plain data, for reports that draw it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Literal

from modellint.base.records import dataclass
from modellint.results.inspection import WeightFigures

Change = Literal["same", "added", "removed", "changed"]
Kind = Literal["block", "stack", "body"]


@dataclass(frozen=True, slots=True)
class DrawnValue:
    """A tensor that nodes read or write: its name and type."""

    name: str
    type: str
    """Element type and shape, such as ``float32 1×64×56×56``; empty if unknown."""
    kind: Literal["", "input", "output", "weight"] = ""
    figures: WeightFigures | None = None


@dataclass(slots=True)
class DrawnNode:
    """An operation."""

    name: str
    op: str
    graph: str
    """Path of its graph, as in findings."""
    index: int
    """Position in its graph, as in findings."""
    group: int | None = None
    """The innermost group that it belongs to."""
    inputs: Sequence[int] = ()
    """Indices of values."""
    outputs: Sequence[int] = ()
    """Indices of values."""
    bodies: Sequence[int] = ()
    """Indices of the values that its subgraphs return."""
    attributes: Sequence[tuple[str, str]] = ()
    parameters: int = 0
    macs: int | None = None
    bytes: int | None = None
    """Bytes read and written, weights included."""
    seconds: float | None = None
    """Lower bound on its time on the target."""
    expected: float | None = None
    """Expected time of the kernel whose main node it is."""
    measured: float | None = None
    """Time of the measured layer whose main node it is."""
    critical: bool = False
    """True on the path of dependencies that takes longest."""
    layer: str = ""
    """The layer of an engine, or of a measured run, that it is in."""
    engine: str = ""
    """Precision that it has in an engine, or that no layer names it."""
    precision: str = ""
    quantized: bool = False
    unit: str = ""
    """The unit it runs on, if the runtime has several."""
    note: str = ""
    """Reason why it is left to another unit, or the difference."""
    change: Change = "same"


@dataclass(slots=True)
class DrawnGroup:
    """Nodes that are drawn as one until they are looked into."""

    label: str
    kind: Kind
    parent: int | None = None
    """A group that is before it in the list."""
    count: int = 1
    """Number of repetitions inside."""


@dataclass(slots=True)
class Drawing:
    """A graph to draw; edges follow from what nodes read and write."""

    nodes: list[DrawnNode] = field(default_factory=list)
    values: list[DrawnValue] = field(default_factory=list)
    groups: list[DrawnGroup] = field(default_factory=list)
    kernels: list[list[int]] = field(default_factory=list)
    """Nodes that run as one kernel, where they are several."""
    fused_by: Literal["expected", "engine"] = "expected"
    """Source of the kernels: predictions, or an engine."""
