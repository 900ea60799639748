"""Both models run on the same inputs."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from modellint.base.records import dataclass
from modellint.results.difference.nodes import NodePlace

NOT_FINITE = 1e30
"""Noise of a layer that gives NaN or infinities in other places."""


@dataclass(frozen=True, slots=True)
class OutputDeviation:
    """An output of both models, over all inputs that they were run on."""

    name: Annotated[str, "Its name in the new model."]
    shape: Annotated[list[list[int]], "Shape in the old and the new model."]
    equal: Annotated[bool, "True if type, shape and every bit are equal."]
    differing: Annotated[int, "Number of elements that differ."]
    elements: int
    max_abs: Annotated[float | None, "Null unless the shapes are equal, as for those below."]
    mean_abs: float | None
    max_relative: Annotated[
        float | None,
        "Largest difference relative to the element, or to a thousandth of the root mean square.",
    ]
    cosine: float | None
    sqnr: Annotated[float | None, "Signal over noise in dB; null if all numbers are equal."]
    top1: Annotated[
        float | None, "Share of rows whose largest element is the same one; null without rows."
    ]
    same_nonfinite: Annotated[bool, "True if NaN and infinities are in the same places."]


@dataclass(frozen=True, slots=True)
class LayerDeviation:
    """An operation of both models, and the difference of its results."""

    old: NodePlace
    new: NodePlace
    noise: Annotated[
        float,
        "Energy of the difference, as a share of the result's; 0 if equal, 1e30 if NaN or "
        "infinities are in other places.",
    ]
    before: Annotated[float, "The same of its inputs, together."]
    sqnr: Annotated[float | None, "Signal over noise in dB; null if equal."]
    cosine: float
    starts: Annotated[bool, "True if the difference starts here: its inputs have hardly any."]
    old_range: Annotated[list[float] | None, "Least and largest number in all runs."]
    new_range: list[float] | None


@dataclass(frozen=True, slots=True)
class Saturation:
    """A quantizer of the new model whose input exceeds its range."""

    node: str
    value: str
    clipped: Annotated[float, "Share of elements outside the range."]
    quantized: Annotated[list[float], "Range of the quantizer."]
    seen: Annotated[list[float], "Least and largest number in all runs."]


@dataclass(frozen=True, slots=True)
class DeadChannels:
    """A layer with more channels that are zero in all runs than it had."""

    layer: str
    channels: int
    old: int
    new: int
    first: Annotated[list[int], "The first of the new model's."]


@dataclass(frozen=True, slots=True)
class RunDifference:
    """Both models run on the same inputs, without graph optimizations."""

    runtime: Annotated[list[str], "Runtime of the old and the new model."]
    inputs: Annotated[str, "Description of the inputs."]
    runs: Annotated[int, "Number of inputs."]
    seconds: Annotated[list[float], "Time of all runs together, on one thread."]
    error: Annotated[str, "Reason why they could not be compared; empty if they were."] = ""
    outputs: list[OutputDeviation] = field(default_factory=list)
    compared: Annotated[int, "Operations whose results were compared."] = 0
    starts: Annotated[
        list[LayerDeviation], "Operations where a difference starts, in the order of the network."
    ] = field(default_factory=list)
    noisiest: Annotated[
        list[LayerDeviation], "Operations that add most noise to that of their inputs."
    ] = field(default_factory=list)
    saturated: Annotated[list[Saturation], "Most clipped first."] = field(default_factory=list)
    dead: list[DeadChannels] = field(default_factory=list)

    @property
    def is_same(self) -> bool:
        """Return True if both ran, and all outputs are equal."""
        return not self.error and all(output.equal for output in self.outputs)
