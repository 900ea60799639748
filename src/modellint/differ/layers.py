"""Layers of two runs, compared one by one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from modellint.differ.canonical import CanonicalStep
from modellint.differ.matched import Matching, Pair
from modellint.differ.quantizers import dead, is_captured, ranged_quantizers, saturated
from modellint.execution import Activity, Arrays, Deviation, Observation, Point, TracedModel, trace
from modellint.execution.tracing import Scale
from modellint.model import Value, small_number
from modellint.operators import Trait, having
from modellint.results.difference import NOT_FINITE, LayerDeviation, NodePlace, RunDifference

OWN_NOISE = 0.1
"""Largest share of a result's noise that its inputs may have, if a difference starts there."""
NOTABLE = 1e-3
"""Share of the largest noise that any layer starts, below which noise is mere rounding."""
WORST = 200.0
"""Limit in dB on how far noise exceeds a signal, which may be zero."""
MOST_STARTS, MOST_NOISY = 100, 50
_CONVOLUTIONS = having(Trait.CONVOLUTION, Trait.TRANSPOSED_CONVOLUTION)
_CLIPS = ("Relu", "Clip")
_READ_SCALED = ("DequantizeLinear", "QGemm")
_MOVES = having(Trait.MOVES, Trait.VIEW)
_COMPUTES = having(Trait.POOL)
MOST_FOLLOWED = 16
"""Limit on the values between integers and the operator that states their scale."""


def decibels(deviation: Deviation) -> float | None:
    """Return signal over noise; None if all numbers are equal, or the shapes are not."""
    if not deviation.comparable or deviation.sqnr == math.inf:
        return None
    return max(deviation.sqnr, -WORST)


class LayerComparison:
    """Values of both main graphs that are the same one, and what became of them."""

    def __init__(self, found: Matching, feeds: tuple[Sequence[Arrays], Sequence[Arrays]]) -> None:
        self._found = found
        self._feeds = feeds
        points = {
            old: point_of(old, new, self._folded(old))
            for old, new in found.values.items()
            if is_captured(old, found.old) and is_captured(new, found.new)
        }
        self._points = {value: point for value, point in points.items() if point is not None}

    def add_to(self, plain: RunDifference) -> RunDifference:
        quantizers = list(ranged_quantizers(self._found.new))
        points = list(self._points.values())
        points += [Point(None, each.source.name, bounds=bounds) for each, bounds in quantizers]
        observed = list(
            trace(
                TracedModel(self._found.old, self._feeds[0]),
                TracedModel(self._found.new, self._feeds[1]),
                points,
            )
        )
        seen = dict(zip(self._points, observed, strict=False))
        layers = self._layers(seen)
        return replace(
            plain,
            compared=len(layers),
            starts=_starts(layers),
            noisiest=_noisiest(layers),
            saturated=saturated(quantizers, observed[len(self._points) :]),
            dead=list(dead(seen)),
        )

    def _folded(self, value: Value) -> Value:
        """Return the result of an activation that only the old model has, else the value itself."""
        reader = value.sole_consumer
        result = reader.output() if reader is not None else None
        if reader is None or result is None or reader.op_type not in _CLIPS:
            return value
        return value if result in self._found.values else result

    def _layers(self, seen: Mapping[Value, Observation]) -> list[LayerDeviation]:
        """Return the results of matched operations, in the old model's order."""
        pairs = {pair.old: pair for pair in [*self._found.pairs, *self._found.replaced]}
        tracking = _Tracking()
        for view, _ in self._found.views:
            if view.graph is not self._found.old.graph:
                continue
            for step in view.steps:
                made = [value for value in step.outputs if value is not None]
                observation = next((seen[value] for value in made if value in seen), None)
                tracking.follow(step, pairs.get(step), observation)
            tracking.end([view.root(value) for value in view.graph.outputs])
        return tracking.layers


class _Tracking:
    """Noise on its way through the network, and where it starts."""

    def __init__(self) -> None:
        self.layers: list[LayerDeviation] = []
        self._noises: dict[Value, float] = {}
        self._suspects: dict[Value, LayerDeviation] = {}
        """The first operations that differ in a way that may mean nothing, by values from them."""

    def follow(
        self, step: CanonicalStep, pair: Pair | None, observation: Observation | None
    ) -> None:
        """Add a step, which comes after those that it reads."""
        read = [value for value in step.inputs if value is not None]
        noise = before = sum(self._noises.get(value, 0.0) for value in read)
        suspect = next((self._suspects[value] for value in read if value in self._suspects), None)
        deviation = observation.deviation if observation is not None else None
        if pair is not None and observation is not None and deviation is not None:
            layer = _layer(pair, observation, deviation, before)
            if _may_mean_nothing(pair, deviation):
                own = layer if _may_be_a_change(pair, deviation) else None
                suspect = (suspect or own) if layer.noise > before else None
            else:
                noise = layer.noise
                if suspect is not None and layer.starts:
                    self.layers.append(replace(suspect, starts=True))
                    layer = replace(layer, starts=False)
                suspect = None
                self.layers.append(layer)
        for value in step.outputs:
            if value is not None:
                self._noises[value] = noise
                if suspect is not None:
                    self._suspects[value] = suspect

    def end(self, outputs: Iterable[Value]) -> None:
        """Add what differs and reaches an output without another result in between."""
        reached = [self._suspects[value] for value in outputs if value in self._suspects]
        for layer in reached:
            if layer.noise and layer.before <= OWN_NOISE * layer.noise:
                self.layers.append(replace(layer, starts=True))


def _may_mean_nothing(pair: Pair, deviation: Deviation) -> bool:
    """Return True for shapes and indices, and for numbers that are only laid out differently.

    If they do mean something, a result after them differs.
    """
    op = pair.old.op
    is_moved = op == pair.new.op and op in _MOVES and op not in _COMPUTES
    return is_moved or not is_float(pair.old.output) or not deviation.comparable


def _may_be_a_change(pair: Pair, deviation: Deviation) -> bool:
    """Return True if it rather is one than another layout, if a result after it differs."""
    has_changed = pair.old.attributes != pair.new.attributes
    return deviation.comparable and (has_changed or not is_float(pair.old.output))


def is_float(value: Value | None) -> bool:
    return value is None or value.dtype is None or value.dtype.is_float


def point_of(old: Value, new: Value, folded: Value) -> Point | None:
    """Return where to look at a value; None if one model has integers of an unknown scale.

    Integers may be the result of an activation as well, whose range is theirs: `folded`.
    """
    scales = scale_of(old), scale_of(new)
    are_floats = [
        scale is not None or (value.dtype is not None and value.dtype.is_float)
        for value, scale in zip((old, new), scales, strict=True)
    ]
    if are_floats[0] != are_floats[1]:
        return None
    maker = old.producer
    is_image = maker is not None and maker.op_type in _CONVOLUTIONS
    name = folded.name if scales[1] is not None and scales[0] is None else old.name
    return Point(name, new.name, 1 if is_image else -1, old_scale=scales[0], new_scale=scales[1])


def scale_of(value: Value) -> Scale | None:
    """Return the values that integers represent, according to the operators that read them."""
    dtype = value.dtype
    if dtype is None or not dtype.is_integer or dtype.bits > 16:
        return None
    pending, seen = [value], 0
    while pending and seen < MOST_FOLLOWED:
        seen += 1
        for node, index in pending.pop(0).consumers:
            if node.op_type in _READ_SCALED or node.op_type.startswith("QLinear"):
                return _scale(node.input(index + 1), node.input(index + 2))
            result = node.output()
            if node.op_type in _MOVES and index == 0 and result is not None:
                pending.append(result)
    return None


def _scale(step: Value | None, zero: Value | None) -> Scale | None:
    size, point = small_number(step), small_number(zero) if zero is not None else 0.0
    return (size, point) if size is not None and point is not None else None


def _noise(deviation: Deviation) -> float:
    """Return the energy of the difference as a share of the signal's."""
    if not deviation.comparable or not deviation.same_nonfinite:
        return NOT_FINITE
    return 0.0 if deviation.sqnr == math.inf else 10 ** (-max(deviation.sqnr, -WORST) / 10)


def _layer(
    pair: Pair, observation: Observation, deviation: Deviation, before: float
) -> LayerDeviation:
    noise = _noise(deviation)
    starts = noise > 0 and before <= OWN_NOISE * noise and not _may_mean_nothing(pair, deviation)
    return LayerDeviation(
        _place(pair.old),
        _place(pair.new),
        noise,
        before,
        decibels(deviation),
        deviation.cosine,
        starts,
        old_range=_range(observation.old),
        new_range=_range(observation.new),
    )


def _place(step: CanonicalStep) -> NodePlace:
    node = step.main
    return NodePlace(node.label, node.qualified_op, node.graph.path)


def _range(activity: Activity | None) -> list[float] | None:
    if activity is None or math.isnan(activity.minimum):
        return None
    return [activity.minimum, activity.maximum]


def _starts(layers: Sequence[LayerDeviation]) -> list[LayerDeviation]:
    found = [layer for layer in layers if layer.starts]
    largest = max((layer.noise for layer in found), default=0.0)
    return [layer for layer in found if layer.noise >= NOTABLE * largest][:MOST_STARTS]


def _noisiest(layers: Sequence[LayerDeviation]) -> list[LayerDeviation]:
    found = [layer for layer in layers if NOT_FINITE > layer.noise > layer.before]
    return sorted(found, key=lambda layer: layer.before - layer.noise)[:MOST_NOISY]
