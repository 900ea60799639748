"""Weights that both models have, and those that only one has."""

from __future__ import annotations

from typing import Annotated, Literal

from modellint.base.records import dataclass


@dataclass(frozen=True, slots=True)
class WeightChange:
    """A weight that both models have, and what is different."""

    name: Annotated[str, "Its name in the new model."]
    was: Annotated[str | None, "Its name in the old model, if that is another one."]
    dtype: Annotated[list[str], "Element type in the old and the new model."]
    shape: Annotated[list[list[int]], "Shape in the old and the new model."]
    numbers: Annotated[
        Literal["equal", "different", "sampled", "unread"],
        "`sampled`: equal as far as samples tell; `unread`: types differ, or bytes are missing.",
    ]
    changed: Annotated[int | None, "Number of elements that differ, if all were read."]
    largest: Annotated[
        float | None, "Largest difference, relative to the largest number of the old weight."
    ]
    sparsity: Annotated[
        list[float] | None, "Share of zeros in the old and the new model, if all were read."
    ]


@dataclass(frozen=True, slots=True)
class StoredWeight:
    """A weight that only one of the models has."""

    name: str
    dtype: str
    shape: list[int]
    bytes: int


@dataclass(frozen=True, slots=True)
class WeightDifference:
    """Weights that are equal, changed, or only in one of the models."""

    matched: int
    equal: Annotated[int, "Weights whose numbers are equal, as far as they were read."]
    changed: Annotated[list[WeightChange], "Largest difference first."]
    removed: list[StoredWeight]
    added: list[StoredWeight]
    renamed: Annotated[int, "Matched weights with another name."]
    renamings: Annotated[dict[str, str], "New names of the first of them by their old names."]
    types: Annotated[dict[str, int], "Weights by change of type, such as `float32 -> float16`."]
    bytes_read: int
    sampled: Annotated[int, "Weights of which only samples were compared, for their size."]
    largest: Annotated[float | None, "Largest relative difference of all changed weights."]

    @property
    def is_same(self) -> bool:
        return not (self.changed or self.removed or self.added or self.types)
