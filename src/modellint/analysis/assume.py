"""What is taken for granted where a deployment leaves a dim open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from modellint.model import Model, Shape
from modellint.targets.deployment import Deployment, ShapeProfile
from modellint.targets.profiles import input_profiles

BATCH = 1
SEQUENCE = 128
IMAGE_SIDE = 224


@dataclass(frozen=True, slots=True)
class Settled:
    """A deployment in which every input of the model has numbers for dims."""

    deployment: Deployment
    assumed: Mapping[str, int]
    """By symbol, or by ``input[axis]`` where the dim has no name: what nobody stated."""


def settle(model: Model, deployment: Deployment) -> Settled:
    """Close what the deployment leaves open; profiles count at their largest.

    Batch 1, images of 224 x 224 and sequences of 128 are assumed, and reported as assumed.
    """
    assumed: dict[str, int] = {}
    shapes = dict(deployment.shapes)
    symbols = dict(deployment.symbols)
    for profile in input_profiles(model, deployment):
        if not profile.is_dynamic:
            continue
        closed = []
        for axis, (dim, known) in enumerate(zip(profile.declared, profile.ranges, strict=True)):
            if known is None:
                name = dim if isinstance(dim, str) else f"{profile.value.name}[{axis}]"
                size = assumed.setdefault(name, _usual(profile.declared, axis))
            else:
                size = known[2]
            if isinstance(dim, str):
                symbols[dim] = size
            closed.append(size)
        shape = tuple(closed)
        shapes[profile.value.name] = ShapeProfile(shape, shape, shape)
    return Settled(replace(deployment, shapes=shapes, symbols=symbols), assumed)


def _usual(shape: Shape, axis: int) -> int:
    name = str(shape[axis]).lower()
    if "batch" in name or (axis == 0 and "seq" not in name):
        return BATCH
    spatial = axis >= 2 and len(shape) in (4, 5)
    if spatial and ("height" in name or "width" in name or _is_image(shape)):
        return IMAGE_SIDE
    return SEQUENCE


def _is_image(shape: Shape) -> bool:
    """Channels are stated, and few."""
    channels = shape[1]
    return isinstance(channels, int) and channels <= 4
