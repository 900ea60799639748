"""Precisions of layers, and the gain of quantization."""

from __future__ import annotations

from typing import Annotated

from modellint.base.records import dataclass


@dataclass(frozen=True, slots=True)
class LayerPrecision:
    """A layer whose product runs in another precision."""

    layer: str
    op_type: str
    old: str
    new: str
    macs: int | None
    why: Annotated[str, "Reason why it does not run in integers, if that is known."]


@dataclass(frozen=True, slots=True)
class PrecisionShare:
    """Layers that run in a precision, in each model."""

    precision: str
    old: int
    new: int
    old_macs: Annotated[float | None, "Share of the model's MACs, 0 to 1."]
    new_macs: Annotated[float | None, "Share of the model's MACs, 0 to 1."]


@dataclass(frozen=True, slots=True)
class PrecisionDifference:
    """Precisions of layers before and after."""

    shares: list[PrecisionShare]
    changed: list[LayerPrecision]
    left: Annotated[
        list[LayerPrecision], "Layers that stay in floats although the model is quantized."
    ]


@dataclass(frozen=True, slots=True)
class ScorePart:
    """One part of the efficiency score: a share of what is possible, and how much it counts."""

    name: Annotated[str, "integer work, stored size, or conversions."]
    share: Annotated[float, "0 to 1."]
    weight: Annotated[int, "Points for a share of 1."]
    points: int
    says: Annotated[str, "What the share is of."]


@dataclass(frozen=True, slots=True)
class SpeedBound:
    """Ratio of the lower bounds on a run's time on one device."""

    target: str
    device: str
    old: float
    new: float
    ratio: Annotated[float, "Old over new: more than 1 is faster."]


@dataclass(frozen=True, slots=True)
class QuantizationImpact:
    """Gain of quantization, if the new model is the old one quantized."""

    method: Annotated[str, "QDQ, QOperator, dynamic, weight-only, or several joined by +."]
    compression: Annotated[float | None, "Old bytes of weights over new ones."]
    integer_macs: Annotated[float | None, "Share of MACs in integers, 0 to 1; null if unknown."]
    integer_layers: int
    layers: int
    conversions: Annotated[int, "Conversions of activations between precisions in a run."]
    speed: list[SpeedBound]
    score: Annotated[int, "0 to 100: the sum of its parts."]
    parts: list[ScorePart]
    obstacles: Annotated[
        list[str], "What keeps layers in floats or a runtime from taking the model, worst first."
    ]
