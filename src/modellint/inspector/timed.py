"""Expected time on each device, as plain data."""

from __future__ import annotations

from typing import Literal

from modellint.analysis.latency import LayerTime, TimeEstimate
from modellint.analysis.precision import without_strange_assumption
from modellint.placement.timed import latency_on_units
from modellint.results.inspection import Time, TimedLayer, TimeParts
from modellint.session import OpenModel
from modellint.targets.deployment import Deployment

SLOWEST = 5
"""Layers of each device where there are several."""


def timed_on(opened: OpenModel, deployment: Deployment, *, brief: bool) -> Time | None:
    """Return the expected time; `brief` leaves out all but the slowest layers."""
    deployment = without_strange_assumption(opened.model, deployment)
    estimate = opened.under(deployment).get(latency_on_units)
    if estimate is None:
        return None
    layers = estimate.slowest(SLOWEST) if brief else estimate.layers
    return Time(
        low=estimate.low,
        expected=estimate.expected,
        high=estimate.high,
        confidence=estimate.confidence,
        source=estimate.fitted.source,
        parts=TimeParts(estimate.compute, estimate.memory, estimate.overhead),
        precision=estimate.precision,
        batch=estimate.batch,
        per_second=estimate.per_second,
        transfer=estimate.transfer,
        kernels=len(estimate.layers),
        uncounted=len(estimate.launches.uncounted),
        units=dict(estimate.units),
        layers=[_layer(layer, estimate) for layer in layers],
    )


def _layer(layer: LayerTime, estimate: TimeEstimate) -> TimedLayer:
    main, time = layer.launch.main, layer.time
    parts: dict[Literal["compute", "memory", "overhead"], float] = {
        "compute": time.compute,
        "memory": time.memory,
        "overhead": time.overhead,
    }
    return TimedLayer(
        node=main.label,
        op_type=main.qualified_op,
        nodes=len(layer.launch.nodes),
        seconds=layer.seconds,
        share=layer.seconds / estimate.expected,
        compute=time.compute,
        memory=time.memory,
        overhead=time.overhead,
        bound=max(parts, key=lambda name: parts[name]),
    )
