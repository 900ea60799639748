"""Obstacles to quantization of a float model, for deployments in a quantized precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from modellint.base.text import percent
from modellint.checks.api import Context, Hit, Place

if TYPE_CHECKING:
    from modellint.analysis.quantization import Obstacle, Readiness

_FEW_BITS = ("int8", "fp8", "int4", "fp4")


def unfolded(context: Context) -> Iterator[Hit]:
    """BatchNormalization after its layer."""
    yield from _obstacle(context, lambda readiness: readiness.unfolded)


def float_only(context: Context) -> Iterator[Hit]:
    """Recurrent layers."""
    yield from _obstacle(context, lambda readiness: readiness.float_only)


def no_kernel(context: Context) -> Iterator[Hit]:
    """Ops between layers that only run in float."""
    yield from _obstacle(context, lambda readiness: readiness.no_kernel)


def outlier_channels(context: Context) -> Iterator[Hit]:
    """Weights where one channel sets the scale of all."""
    yield from _obstacle(context, lambda readiness: readiness.outlier_channels)


def spikes(context: Context) -> Iterator[Hit]:
    """Weights where one number sets the scale of its channel."""
    yield from _obstacle(context, lambda readiness: readiness.spikes)


def curved_activations(context: Context) -> Iterator[Hit]:
    """Layers fed by activations that quantize poorly."""
    yield from _obstacle(context, lambda readiness: readiness.curved_activations)


def misaligned(context: Context) -> Iterator[Hit]:
    """Layers whose channels do not fill the matrix units."""
    yield from _obstacle(context, lambda readiness: readiness.misaligned)


def depthwise(context: Context) -> Iterator[Hit]:
    """Memory-bound convolutions."""
    yield from _obstacle(context, lambda readiness: readiness.depthwise)


def tiny(context: Context) -> Iterator[Hit]:
    """Layers too small to benefit."""
    yield from _obstacle(context, lambda readiness: readiness.tiny)


def _obstacle(context: Context, pick: Callable[[Readiness], Obstacle | None]) -> Iterator[Hit]:
    if context.deployment.precision not in _FEW_BITS:
        return
    from modellint.analysis.quantization import Readiness  # for few deployments

    readiness = context.analysis(Readiness)
    if readiness.map.is_quantized:
        return
    found = pick(readiness)
    if found is None:
        return
    unit = "the model's MACs" if readiness.is_by_work else "the model's layers"
    others = len(found.nodes) - 1
    yield Hit(
        _place(readiness, found),
        {
            **found.facts,
            "rest": f" and {others} more" if others else "",
            "share": found.share,
            "work": f"{percent(found.share)} of {unit}",
            "points": found.points,
            "nodes": [node.label for node in found.nodes],
        },
        count=len(found.nodes),
    )


def _place(readiness: Readiness, found: Obstacle) -> Place:
    """Return the layer that the facts name, else the first."""
    name = found.facts.get("layer")
    return next((node for node in found.nodes if node.label == name), found.nodes[0])
