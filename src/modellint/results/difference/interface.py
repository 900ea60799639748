"""The two models, and what programs that use them depend on."""

from __future__ import annotations

from typing import Annotated, Literal

from modellint.base.records import dataclass
from modellint.results.inspection import Trouble

SAME_DIALECT = frozenset(("onnx", "onnx-text", "ort"))
"""Formats that state the same operators with the same attributes."""


@dataclass(frozen=True, slots=True)
class ModelSide:
    """One of the two models."""

    path: str
    format: Annotated[str, "`unknown` if the file could not be read as a model."]
    problems: list[Trouble]
    producer: Annotated[str | None, "Name and version of the tool that wrote the file."]
    opsets: Annotated[dict[str, int], "Version by domain; ONNX's own domain is ai.onnx."]
    nodes: Annotated[int | None, "Nodes of all graphs, without functions."]


@dataclass(frozen=True, slots=True)
class InterfaceChange:
    """A change of what programs that use the model depend on."""

    what: Annotated[
        Literal["input", "output", "opset", "metadata"], "The part of the interface it is about."
    ]
    name: Annotated[str, "Name of the input, output, domain or entry; the new one if it has both."]
    aspect: Annotated[str, "added, removed, name, order, type, shape or version."]
    old: str | None
    new: str | None
    breaking: bool
    why: Annotated[str, "Reason why it breaks; empty if it does not."]
