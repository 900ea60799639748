"""Facts that only SavedModels state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from modellint.base.records import dataclass
from modellint.model import DType, Model, Shape


class TensorInfo(NamedTuple):
    """An input or output of a signature."""

    dtype: DType
    shape: Shape | None

    def __str__(self) -> str:
        dims = ",".join("?" if dim is None else str(dim) for dim in self.shape or ())
        return f"{self.dtype}[{'...' if self.shape is None else dims}]"


class CallSignature(NamedTuple):
    """A function that a server may call by its name."""

    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]


@dataclass(frozen=True, slots=True)
class SavedModelFacts:
    tags: Sequence[Sequence[str]]
    """Tags of each graph that the file holds."""
    signatures: Mapping[str, CallSignature]
    operators: Mapping[str, int]
    """Number of nodes of each operator, in graphs and functions."""
    places: Mapping[str, str]
    """The first node of each operator, with the function that it is in."""
    functions: int
    written_files: Sequence[str]
    """Files that operators which print write to."""
    main: str = ""
    """The signature whose graph the model's is; empty if there is none."""


def saved_model_facts(model: Model) -> SavedModelFacts | None:
    """Return the facts, or None for another format."""
    facts = model.format_facts
    return facts if isinstance(facts, SavedModelFacts) else None
