"""Ranges that quantizers cut off, and channels that stay zero, in a run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from modellint.analysis.quantization import Converter, QuantizationMap
from modellint.execution import Observation
from modellint.model import Model, Value
from modellint.results.difference import DeadChannels, Saturation
from modellint.targets.deployment import Deployment

MOST_CHANNELS = 16
LEAST_CLIPPED = 1e-4
"""Share of clipped elements above which a quantizer counts as saturated."""


def is_captured(value: Value, model: Model) -> bool:
    """Return True for a computed tensor of the main graph."""
    is_made = value.producer is not None and not value.is_constant
    return is_made and value.graph is model.graph and value.type_name == "tensor"


def ranged_quantizers(model: Model) -> Iterator[tuple[Converter, tuple[float, float]]]:
    """Iterate over quantizers of activations in the main graph, and the ranges they cover."""
    for quantizer in QuantizationMap(model, Deployment()).activation_quantizers:
        bounds = _bounds(quantizer)
        if bounds is not None and is_captured(quantizer.source, model):
            yield quantizer, bounds


def _bounds(quantizer: Converter) -> tuple[float, float] | None:
    """Return the range of numbers that are not clipped, if there is one for the tensor."""
    scheme = quantizer.scheme
    dtype, scales, points = scheme.dtype, scheme.scales, scheme.zero_points
    if dtype is None or not dtype.is_integer or scales is None or scales.size != 1:
        return None
    if dtype.bits > 16 or (scheme.zero_point is not None and points is None):
        return None
    step = float(scales.reshape(-1)[0])
    point = float(points.reshape(-1)[0]) if points is not None else 0.0
    lowest = -(2.0 ** (dtype.bits - 1)) if dtype.kind == "int" else 0.0
    highest = lowest + 2.0**dtype.bits - 1
    if lowest == point:  # as after a Relu, which such a quantizer replaces
        return -math.inf, (highest + 0.5 - point) * step
    return (lowest - 0.5 - point) * step, (highest + 0.5 - point) * step


def saturated(
    quantizers: Sequence[tuple[Converter, tuple[float, float]]], seen: Sequence[Observation]
) -> list[Saturation]:
    found = []
    for (quantizer, bounds), observation in zip(quantizers, seen, strict=True):
        activity = observation.new
        if activity is None or not activity.clipped:
            continue
        share = activity.clipped / activity.elements
        if share >= LEAST_CLIPPED:
            range_ = [activity.minimum, activity.maximum]
            found.append(
                Saturation(quantizer.node.label, quantizer.source.name, share, list(bounds), range_)
            )
    return sorted(found, key=lambda each: -each.clipped)


def dead(seen: Mapping[Value, Observation]) -> Iterator[DeadChannels]:
    for observation in seen.values():
        old, new = observation.old, observation.new
        if old is None or new is None or old.channels != new.channels:
            continue
        if len(new.dead) > len(old.dead):
            yield DeadChannels(
                observation.point.new or "",
                new.channels,
                len(old.dead),
                len(new.dead),
                list(new.dead[:MOST_CHANNELS]),
            )
