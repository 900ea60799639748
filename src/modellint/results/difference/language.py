"""Two models without graphs: their architecture, and their tensors by role."""

from __future__ import annotations

from typing import Annotated, Literal

from modellint.base.records import dataclass


@dataclass(frozen=True, slots=True)
class Statement:
    """A hyperparameter that both files state, with different values."""

    name: Annotated[str, "For example layers, vocabulary, rotary base."]
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class PartDifference:
    """One part of a language model's weights in each model."""

    name: Annotated[str, "embeddings, attention, feed-forward, experts, output or other."]
    parameters: Annotated[list[int], "In the old and the new model."]
    bytes: Annotated[list[int], "In the old and the new model."]
    bits: Annotated[list[float | None], "Stored bits of each parameter, scales included."]
    types: Annotated[list[list[str]], "Element types, that of most bytes first."]


@dataclass(frozen=True, slots=True)
class TensorDifference:
    """Tensors of one role, such as those of all layers, that compare in the same way."""

    tensors: Annotated[str, "Their name, with * for the number of a layer."]
    count: int
    change: Annotated[
        Literal["same", "changed", "converted", "resized", "added", "removed", "unread"],
        "`converted`: of another type, and other numbers unless `largest` is 0; `unread`: the "
        "numbers could not be compared.",
    ]
    types: Annotated[list[str | None], "Element type in the old and the new model."]
    shapes: Annotated[list[list[int] | None], "Shape in the old and the new model."]
    bytes: Annotated[list[int], "Of all of them in the old and the new model."]
    largest: Annotated[
        float | None,
        "Largest difference: root mean square, relative to that of the old numbers.",
    ]
    where: Annotated[str, "Name of the tensor with the largest difference."]
    is_sample: Annotated[bool, "True if only samples of the numbers were compared."]
    form: Annotated[
        str, "transposed, permuted or plus 1, if a converter stores the numbers that way."
    ]


@dataclass(frozen=True, slots=True)
class LanguageDifference:
    """Two models without graphs: their architecture, and their tensors by role."""

    statements: list[Statement]
    parts: list[PartDifference]
    tensors: Annotated[list[TensorDifference], "Largest difference first."]
    cache_per_token: Annotated[
        list[int | None], "Bytes of a token in all layers at 16 bits, in each model."
    ]

    @property
    def is_same(self) -> bool:
        return not self.statements and all(each.change == "same" for each in self.tensors)
