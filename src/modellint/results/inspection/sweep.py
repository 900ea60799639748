"""A device, a precision and a batch that a model could run with."""

from __future__ import annotations

from typing import Annotated, Literal

from modellint.base.records import dataclass
from modellint.results.inspection.memory import Verdict

Certainty = Literal["surely", "expected", "no"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A device with a precision and a batch that a model could run with."""

    target: str
    precision: str
    batch: int
    low: float
    expected: Annotated[float, "Seconds of a run of the batch."]
    high: float
    confidence: str
    per_second: Annotated[float, "Batch items per second, one run after the other."]
    memory: Annotated[int, "Bytes expected."]
    verdict: Verdict | None
    price: Annotated[float | None, "Of an hour, if the target's file has one."]
    currency: str | None
    satisfies: Annotated[
        Certainty | None,
        "With --require: surely, if even the bounds satisfy it; null without requirements.",
    ]
    reasons: Annotated[list[str], "The requirements that are not satisfied, with the figures."]
