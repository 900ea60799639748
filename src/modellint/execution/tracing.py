"""Compares two models value by value, in passes that bound the memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modellint.analysis.shapes import DeployedTypes
from modellint.base.records import dataclass
from modellint.execution.activity import Activity, Observer
from modellint.execution.arrays import Arrays
from modellint.execution.comparing import Deviation, Tally
from modellint.execution.running import AS_WRITTEN, Execution, run
from modellint.model import Model, element_count
from modellint.runtimes.execution import Way
from modellint.targets.deployment import Deployment, ShapeProfile

BUDGET = 512 << 20
"""Bytes of captured values of one model that may be there at once, in all runs together."""
MOST_AT_ONCE = 2000
"""Values captured in one pass: a session with many outputs takes long to create."""


Scale = tuple[float, float]
"""Size of a step, and the integer that stands for zero."""


@dataclass(frozen=True, slots=True)
class Point:
    """A value to look at in two models, by its name in each main graph."""

    old: str | None
    new: str | None
    axis: int | None = None
    """Axis of its channels."""
    bounds: tuple[float, float] | None = None
    """Range of the quantizer that reads it in the new model."""
    old_scale: Scale | None = None
    new_scale: Scale | None = None
    """Meaning of the integers, where a model computes on such."""


@dataclass(frozen=True, slots=True)
class Observation:
    """Figures of a value in all runs."""

    point: Point
    deviation: Deviation | None
    """None if it is in one model only, or could not be captured."""
    old: Activity | None
    new: Activity | None


@dataclass(frozen=True, slots=True)
class TracedModel:
    """One of two models, and its inputs: one for each run, in the same order for both."""

    model: Model
    feeds: Sequence[Arrays]


def trace(
    old: TracedModel, new: TracedModel, points: Sequence[Point], budget: int = BUDGET
) -> Iterator[Observation]:
    """Iterate over the points in order. A pass that fails is tried again in halves."""
    sizes = _Volumes(old, new)
    for group in _passes(points, sizes, budget):
        yield from _observe(old, new, group)


def _passes(points: Sequence[Point], sizes: _Volumes, budget: int) -> Iterator[Sequence[Point]]:
    group: list[Point] = []
    used = 0
    for point in points:
        size = sizes.of(point)
        if group and (used + size > budget or len(group) >= MOST_AT_ONCE):
            yield group
            group, used = [], 0
        group.append(point)
        used += size
    if group:
        yield group


def _observe(old: TracedModel, new: TracedModel, points: Sequence[Point]) -> Iterator[Observation]:
    before = _captured(old, [point.old for point in points if point.old is not None])
    after = _captured(new, [point.new for point in points if point.new is not None])
    if (before.error or after.error) and len(points) > 1:
        middle = len(points) // 2
        yield from _observe(old, new, points[:middle])
        yield from _observe(old, new, points[middle:])
        return
    for point in points:
        yield _observed(point, before, after)


def _captured(side: TracedModel, names: Sequence[str]) -> Execution:
    own = {value.name for value in side.model.outputs}
    inner = tuple(dict.fromkeys(name for name in names if name not in own))
    way = Way(AS_WRITTEN.optimized, AS_WRITTEN.threads, inner)
    return run(side.model.path, side.model.format, side.feeds, way)


def _observed(point: Point, before: Execution, after: Execution) -> Observation:
    tally = Tally(detailed=False)
    old, new = Observer(point.axis), Observer(point.axis, point.bounds)
    seen_old = seen_new = pairs = 0
    for one, other in zip(before.runs, after.runs, strict=True):
        a = _numbers(one.outputs, point.old, point.old_scale)
        b = _numbers(other.outputs, point.new, point.new_scale)
        if a is not None:
            old.add(a)
            seen_old += 1
        if b is not None:
            new.add(b)
            seen_new += 1
        if a is not None and b is not None:
            tally.add(a, b)
            pairs += 1
    return Observation(
        point,
        tally.result() if pairs else None,
        old.result() if seen_old else None,
        new.result() if seen_new else None,
    )


def _numbers(outputs: Arrays, name: str | None, scale: Scale | None) -> NDArray[Any] | None:
    array = outputs.get(name) if name is not None else None
    if array is None or scale is None:
        return array
    step, zero = scale
    return ((array.astype(np.float32) - np.float32(zero)) * np.float32(step)).astype(np.float32)


class _Volumes:
    """Bytes of values in all runs together, as far as their shapes can be inferred."""

    def __init__(self, old: TracedModel, new: TracedModel) -> None:
        self._old, self._new = _bytes(old), _bytes(new)

    def of(self, point: Point) -> int:
        return max(self._of(self._old, point.old), self._of(self._new, point.new))

    def _of(self, sizes: Mapping[str, int], name: str | None) -> int:
        if name is None:
            return 0
        return sizes.get(name) or max(sizes.values(), default=1 << 20)


def _bytes(side: TracedModel) -> dict[str, int]:
    sizes: dict[str, int] = {}
    feed = max(side.feeds, key=lambda each: sum(array.nbytes for array in each.values()))
    shapes = {
        name: ShapeProfile(array.shape, array.shape, array.shape) for name, array in feed.items()
    }
    types = DeployedTypes(side.model, Deployment(shapes=shapes))
    for name, value in side.model.graph.values.items():
        count = element_count(types.shape(value)) if value.producer is not None else None
        if count is not None and value.dtype is not None:
            sizes[name] = value.dtype.nbytes(count) * len(side.feeds)
    return sizes
