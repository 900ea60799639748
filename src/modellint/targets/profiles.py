"""Shape ranges of inputs, as used in optimization profiles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from modellint.base.records import dataclass
from modellint.model import Dim, Model, Shape, Value
from modellint.targets.deployment import ONLY_INPUT, Deployment, ShapeProfile

Range = tuple[int, int, int]
"""Minimum, optimum and maximum of one dim."""


@dataclass(frozen=True, slots=True)
class InputProfile:
    """An input of the model: its declared shape, and its range in the deployment."""

    value: Value
    declared: Shape
    ranges: tuple[Range | None, ...]
    """Range of each dim; None if the deployment does not set an open dim."""

    @property
    def is_dynamic(self) -> bool:
        return any(not isinstance(dim, int) for dim in self.declared)

    @property
    def open_axes(self) -> tuple[int, ...]:
        """Return the axes of unknown size."""
        return tuple(axis for axis, known in enumerate(self.ranges) if known is None)

    def bound(self, which: int) -> tuple[int, ...]:
        """Return the minimum (0), optimum (1) or maximum (2); all dims must be known."""
        return tuple(known[which] for known in self.ranges if known is not None)


def input_profiles(model: Model, deployment: Deployment) -> tuple[InputProfile, ...]:
    """Return the profile of every input of known rank that is not an initializer."""
    ranges = symbol_ranges(model, deployment)
    return tuple(
        InputProfile(value, shape, _ranges(value, shape, deployment, ranges))
        for value, shape in _fed(model)
    )


def bound_to(model: Model, deployment: Deployment) -> Deployment:
    """Return the deployment with a shape of the model's only input under the input's name."""
    profile = deployment.shapes.get(ONLY_INPUT)
    if profile is None:
        return deployment
    shapes = {name: each for name, each in deployment.shapes.items() if name != ONLY_INPUT}
    only = only_input(model)
    if only is not None:
        shapes.setdefault(only.name, profile)
    return replace(deployment, shapes=shapes)


def only_input(model: Model) -> Value | None:
    """Return the model's input, if it has one."""
    fed = model.fed
    return fed[0] if len(fed) == 1 else None


def symbol_ranges(model: Model, deployment: Deployment) -> Mapping[str, Range]:
    """Return the range of each symbolic dim, from symbols, batch or the first such input."""
    ranges = {symbol: (size, size, size) for symbol, size in deployment.symbols.items()}
    for value, shape in _fed(model):
        profile = deployment.shapes.get(value.name)
        if profile is not None and len(profile.optimum) == len(shape):
            for symbol, known in zip(shape, dim_ranges(profile), strict=True):
                if isinstance(symbol, str):
                    ranges.setdefault(symbol, known)
        elif deployment.batch is not None and shape and isinstance(shape[0], str):
            ranges.setdefault(shape[0], (deployment.batch,) * 3)
    return ranges


def dim_ranges(profile: ShapeProfile) -> Iterator[Range]:
    """Iterate over the minimum, optimum and maximum of each dim."""
    return zip(profile.minimum, profile.optimum, profile.maximum, strict=True)


def _fed(model: Model) -> Iterator[tuple[Value, Shape]]:
    for value in model.fed:
        shape = value.declared_shape
        if shape is not None:
            yield value, shape


def _ranges(
    value: Value, shape: Shape, deployment: Deployment, symbols: Mapping[str, Range]
) -> tuple[Range | None, ...]:
    profile = deployment.shapes.get(value.name)
    if profile is not None and len(profile.optimum) == len(shape):
        return tuple(dim_ranges(profile))
    return tuple(_range(dim, axis, deployment, symbols) for axis, dim in enumerate(shape))


def _range(
    dim: Dim, axis: int, deployment: Deployment, symbols: Mapping[str, Range]
) -> Range | None:
    if isinstance(dim, int):
        return dim, dim, dim
    if isinstance(dim, str) and dim in symbols:
        return symbols[dim]
    if axis == 0 and deployment.batch is not None:
        return deployment.batch, deployment.batch, deployment.batch
    return None
