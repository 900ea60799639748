"""Results of `modellint quantize`: all that its page and its JSON know."""

from __future__ import annotations

from dataclasses import asdict, field
from typing import Any

from modellint.base.records import dataclass


@dataclass(frozen=True, slots=True)
class OutputLoss:
    """Difference of an output from the float model's, over all inputs that were run."""

    name: str
    sqnr: float
    """Signal to quantization noise in dB."""
    cosine: float
    top1: float | None
    """Share of rows with the same largest element."""
    max_abs: float
    same_nonfinite: bool


@dataclass(frozen=True, slots=True)
class LayerNoise:
    """A layer, and the noise that quantizing it adds."""

    name: str
    op_type: str
    sqnr: float
    """Of its output, in dB, with the noise that its inputs brought."""
    added: float
    """Noise it adds, as a share of its output's signal."""
    kept: bool = False
    """True if it was left in float."""


@dataclass(frozen=True, slots=True)
class Judgment:
    """The linter's verdict on the result, for its deployment."""

    deployment: str
    errors: int = 0
    warnings: int = 0
    infos: int = 0
    first: tuple[str, ...] = ()
    """Codes and messages of the most severe findings."""


@dataclass(frozen=True, slots=True)
class Quantized:
    """Result of one recipe."""

    recipe: str
    summary: str
    path: str
    runtime: str
    old_bytes: int
    new_bytes: int
    layers: int
    quantized: int
    """Number of layers that multiply integers, or that store weights of fewer bits."""
    outputs: tuple[OutputLoss, ...]
    noises: tuple[LayerNoise, ...]
    """All layers, those that add most noise first."""
    kept: tuple[str, ...]
    """Layers in float because of the limit, or because they were named."""
    limit: str
    """The limit in words; empty without one."""
    holds: bool | None
    """True if the limit holds; None without one."""
    trials: int
    """Number of times that the model was quantized."""
    data: str
    """Description of the inputs."""
    is_random: bool
    """True if scales come from random inputs, and mean nothing."""
    calibrated: int
    """Number of inputs for calibration; 0 if the recipe needs none."""
    evaluated: int
    """Number of inputs that outputs were compared on."""
    notes: tuple[str, ...] = ()
    judgment: Judgment | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """A recipe that gave no result."""

    recipe: str
    reason: str


@dataclass(frozen=True, slots=True)
class QuantizedModel:
    """A model, quantized by one or more recipes."""

    model: str
    results: tuple[Quantized | Failed, ...] = field(default_factory=tuple)

    def to_json(self) -> dict[str, Any]:
        """Return the results as JSON data."""
        return {"version": 1, "model": self.model, "results": [asdict(e) for e in self.results]}
