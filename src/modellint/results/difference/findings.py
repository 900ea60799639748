"""Findings that are new, gone or still there."""

from __future__ import annotations

from typing import Annotated, Literal

from modellint.base.records import dataclass


@dataclass(frozen=True, slots=True)
class FindingChange:
    """A finding of `modellint check`."""

    code: str
    severity: Literal["info", "warning", "error"]
    message: str
    place: Annotated[str, "Name of the node or value; empty for the file."]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class FindingDifference:
    """Findings by whether they are new, compared by fingerprint."""

    new: list[FindingChange]
    gone: list[FindingChange]
    still: Annotated[int, "Number of findings that both models have."]
    both: Annotated[list[FindingChange], "Those findings, as in the new model."]
    reads_weights: Annotated[
        bool, "False if rules that read weights were left out, since the models are too large."
    ]
