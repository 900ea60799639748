"""Layers of a measured run, with the device's best possible times."""

from __future__ import annotations

from modellint.model import Model
from modellint.profiles.profiled import ProfiledLayer, ProfiledModel
from modellint.results.inspection import MeasuredLayer
from modellint.results.measured import MeasuredRun
from modellint.targets.target import Target


def measured_layers(run: MeasuredRun, model: Model, target: Target | None) -> list[MeasuredLayer]:
    """Return all layers of a run, the longest first."""
    profiled = ProfiledModel(run, model)
    layers = sorted(profiled.layers, key=lambda each: -each.seconds)
    return [_layer(profiled, each, target) for each in layers]


def _layer(profiled: ProfiledModel, found: ProfiledLayer, target: Target | None) -> MeasuredLayer:
    layer = found.layer
    roofs = profiled.roofs(target, found)
    least = roofs.least(found) if roofs is not None else None
    return MeasuredLayer(
        name=layer.name,
        op=layer.op,
        nodes=[node.label for node in found.nodes] or list(layer.nodes),
        kind=layer.kind,
        precision=layer.precision,
        kernel=layer.kernel or layer.unit,
        seconds=found.seconds,
        share=found.seconds / profiled.total if profiled.total else 0.0,
        flops=found.flops,
        nbytes=found.nbytes,
        bound=roofs.bound(found) if roofs is not None else None,
        efficiency=least / found.undisturbed if least is not None and found.undisturbed else None,
    )
