"""Fixes of models: all that reports know of what was fixed, or would be."""

from __future__ import annotations

from typing import Literal

from modellint.base.applicability import Applicability
from modellint.base.records import dataclass

ProofStep = Literal[
    "edit", "file", "interface", "checker", "loading", "outputs", "findings", "not-run"
]
"""A step of the proof: `edit` is carrying it out, `file` reading the result, `not-run` the lack of
any way to run the model."""


@dataclass(frozen=True, slots=True)
class FixEntry:
    """A fix of one finding."""

    code: str
    rule: str
    says: str
    applicability: Applicability
    graph: str = ""
    place: str = ""
    option: str = ""
    """The choice that it needs."""


@dataclass(frozen=True, slots=True)
class RefusedFix:
    """A fix that was not carried out, and the step of the proof that failed."""

    entry: FixEntry
    step: ProofStep
    detail: str


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the difference between the model before and after."""

    kind: Literal["removed", "added", "changed"]
    graph: str
    what: str
    """The operator of a node; or input, output, tensor, function, opset, metadata."""
    name: str
    detail: str
    """Its inputs and outputs, or type."""
    before: str = ""
    """The detail before, if it changed."""


@dataclass(frozen=True, slots=True)
class ModelSize:
    nodes: int
    weight_bytes: int
    file_bytes: int


@dataclass(frozen=True, slots=True)
class Gain:
    """One figure of a model before and after."""

    name: str
    unit: Literal["count", "bytes", "seconds"]
    before: float
    after: float
    target: str = ""
    """The device that it is for, if it depends on one."""


@dataclass(frozen=True, slots=True)
class FileFixes:
    """Fixes of one file."""

    path: str
    before: ModelSize | None = None
    after: ModelSize | None = None
    fixed: tuple[FixEntry, ...] = ()
    refused: tuple[RefusedFix, ...] = ()
    offered: tuple[FixEntry, ...] = ()
    """Fixes that were not wanted: weaker ones, or those that need a choice."""
    changes: tuple[Change, ...] = ()
    proof: str = ""
    """A sentence of how the fixes were proved."""
    gains: tuple[Gain, ...] = ()
    """Needs of the model before and after, if they were asked for."""
    recorded_shapes: int = 0
    """Number of shapes that the file states now, and did not."""
    largest_difference: float = 0.0
    """Of an output, relative to its largest element."""
    written: str = ""
    """The file that was written; empty if none was."""
    data_files: tuple[str, ...] = ()
    """Files of weights that were written with it, by name."""
    problem: str = ""
    """Reason why nothing could be fixed or written."""
    is_fixable: bool = True
    """False if no file of its format can be fixed."""

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of fixes by rule."""
        counted: dict[str, int] = {}
        for each in self.fixed:
            counted[each.code] = counted.get(each.code, 0) + 1
        return counted
