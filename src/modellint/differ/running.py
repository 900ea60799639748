"""Both models run on the same inputs: how far outputs differ, and which layer starts it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modellint.analysis.quantization import Converter, QuantizationMap
from modellint.differ.canonical import CanonicalStep
from modellint.differ.matched import Matching, Pair
from modellint.execution import (
    Activity,
    Arrays,
    Deviation,
    Execution,
    NoInputsError,
    Observation,
    Point,
    Tally,
    TracedModel,
    made_up,
    run,
    runtime_for,
    trace,
)
from modellint.execution.tracing import Scale
from modellint.model import Model, Value, is_static, small_constant
from modellint.operators import Trait, having
from modellint.results.difference import (
    NOT_FINITE,
    DeadChannels,
    LayerDeviation,
    NodePlace,
    OutputDeviation,
    RunDifference,
    Saturation,
)
from modellint.targets.deployment import Deployment

MOST_TRACED = 4
"""Inputs that layers are compared on; outputs are compared on all."""
SIZES = 3
"""Sizes of open dims that are tried."""
OWN_NOISE = 0.1
"""Largest share of a result's noise that its inputs may have, if a difference starts there."""
NOTABLE = 1e-3
"""Share of the largest noise that any layer starts, below which noise is mere rounding."""
WORST = 200.0
"""Most dB by which noise exceeds a signal, which may be zero."""
MOST_STARTS, MOST_NOISY, MOST_CHANNELS = 100, 50, 16
LEAST_CLIPPED = 1e-4
"""Share of clipped elements above which a quantizer counts as saturated."""
_CONVOLUTIONS = having(Trait.CONVOLUTION, Trait.TRANSPOSED_CONVOLUTION)
_CLIPS = ("Relu", "Clip")
_READ_SCALED = ("DequantizeLinear", "QGemm")
_MOVES = having(Trait.MOVES, Trait.VIEW)
_COMPUTES = having(Trait.POOL)
MOST_FOLLOWED = 16
"""Limit on the values between integers and the operator that states their scale."""
_LAYOUTS = ((0, 2, 3, 1), (0, 3, 1, 2))
"""Orders of dims that turn channels first into channels last, and back."""


def seeded_inputs(found: Matching, seed: int, deployment: Deployment) -> list[Arrays]:
    """Return made-up inputs of the old model, for several sizes of open dims.

    Sizes that only the new model fixes are those of the new model.
    """
    old = found.old
    fixed = {
        dim: size
        for one, other in found.inputs
        if one is not None and other is not None
        for dim, size in zip(one.declared_shape or (), other.declared_shape or (), strict=False)
        if isinstance(dim, str) and isinstance(size, int)
    }
    bound = replace(deployment, symbols={**fixed, **deployment.symbols})
    is_open = any(not is_static(value.declared_shape) for value in old.fed)
    return [made_up(old, seed, number, bound) for number in range(SIZES if is_open else 1)]


def run_difference(found: Matching, feeds: Sequence[Arrays], described: str) -> RunDifference:
    """Run both models and compare outputs, then values in the middle.

    Raises NoInputsError if the new model needs inputs that the old one does not have.
    """
    models = found.old, found.new
    inputs = feeds, [_for_new(found, feed) for feed in feeds]
    done = [
        run(model.path, model.format, given) for model, given in zip(models, inputs, strict=True)
    ]
    plain = RunDifference(
        runtime=[each.runtime for each in done],
        inputs=described,
        runs=len(feeds),
        seconds=[sum(run.seconds for run in each.runs) for each in done],
    )
    both_fail = [n for n in range(len(feeds)) if all(each.runs[n].error for each in done)]
    if len(both_fail) < len(feeds):  # sizes that neither model takes say nothing
        taken = [n for n in range(len(feeds)) if n not in both_fail]
        inputs = [feeds[n] for n in taken], [inputs[1][n] for n in taken]
        done = [replace(each, runs=tuple(each.runs[n] for n in taken)) for each in done]
        plain = replace(plain, runs=len(taken))
    for title, each in zip(("old", "new"), done, strict=True):
        if each.error:
            return replace(plain, error=f"the {title} model does not run: {each.error}")
    whole = replace(plain, outputs=list(_outputs(found, done[0], done[1])))
    if whole.is_same:
        return whole
    able = [runtime_for(model.format).executor for model in models]
    if not all(each is not None and each.captures for each in able):
        return whole
    return _Layers(found, (inputs[0][:MOST_TRACED], inputs[1][:MOST_TRACED])).add_to(whole)


# Inputs and outputs


def _for_new(found: Matching, feed: Arrays) -> Arrays:
    """Return the inputs under the new model's names, in its types and layout."""
    given: dict[str, NDArray[Any]] = {}
    for old, new in found.inputs:
        if new is None or new.is_constant:
            continue
        if old is None or old.name not in feed:
            raise NoInputsError(f"only the new model has an input {new.name!r}")
        array = laid_out(feed[old.name], new)
        dtype = new.declared_dtype
        if dtype is not None and dtype.kind != "string" and array.dtype != dtype.numpy:
            array = array.astype(dtype.numpy)
        given[new.name] = array
    return given


def laid_out(array: NDArray[Any], value: Value) -> NDArray[Any]:
    """Return an image in the layout that the input declares."""
    shape = value.declared_shape
    if shape is None or array.ndim != 4 or len(shape) != 4 or _fits(array.shape, shape):
        return array
    for layout in _LAYOUTS:
        moved = array.transpose(layout)
        if _fits(moved.shape, shape):
            return moved
    return array


def _fits(shape: Sequence[int], declared: Sequence[object]) -> bool:
    return all(
        not isinstance(dim, int) or dim == size for dim, size in zip(declared, shape, strict=True)
    )


def _outputs(found: Matching, old: Execution, new: Execution) -> Iterator[OutputDeviation]:
    for one, other in found.outputs:
        if one is None or other is None:
            continue
        tally = Tally()
        for before, after in zip(old.runs, new.runs, strict=True):
            a, b = before.outputs.get(one.name), after.outputs.get(other.name)
            if a is not None and b is not None:
                tally.add(a, _like(b, a))
        deviation = tally.result()
        if deviation.elements:
            yield _output(other.name, deviation)


def _like(array: NDArray[Any], wanted: NDArray[Any]) -> NDArray[Any]:
    """Return an image in the layout of another."""
    if array.ndim == 4 and array.shape != wanted.shape:
        for layout in _LAYOUTS:
            if array.transpose(layout).shape == wanted.shape:
                return np.ascontiguousarray(array.transpose(layout))
    return array


def _output(name: str, deviation: Deviation) -> OutputDeviation:
    fits = deviation.comparable
    return OutputDeviation(
        name,
        [list(shape) for shape in deviation.shapes],
        deviation.bitwise,
        deviation.differing,
        deviation.elements,
        deviation.max_abs if fits else None,
        deviation.mean_abs if fits else None,
        deviation.max_relative if fits else None,
        deviation.cosine if fits else None,
        _db(deviation),
        deviation.top1 if fits else None,
        deviation.same_nonfinite,
    )


def _db(deviation: Deviation) -> float | None:
    """Return signal over noise; None if all numbers are equal, or the shapes are not."""
    if not deviation.comparable or deviation.sqnr == math.inf:
        return None
    return max(deviation.sqnr, -WORST)


# Layers


class _Layers:
    """Values of both main graphs that are the same one, and what became of them."""

    def __init__(self, found: Matching, feeds: tuple[Sequence[Arrays], Sequence[Arrays]]) -> None:
        self._found = found
        self._feeds = feeds
        points = {
            old: point_of(old, new, self._folded(old))
            for old, new in found.values.items()
            if _is_captured(old, found.old) and _is_captured(new, found.new)
        }
        self._points = {value: point for value, point in points.items() if point is not None}

    def add_to(self, plain: RunDifference) -> RunDifference:
        quantizers = list(_quantizers(self._found.new))
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
            saturated=_saturated(quantizers, observed[len(self._points) :]),
            dead=list(_dead(seen)),
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
    return is_moved or not _is_float(pair.old.output) or not deviation.comparable


def _may_be_a_change(pair: Pair, deviation: Deviation) -> bool:
    """Return True if it rather is one than another layout, if a result after it differs."""
    has_changed = pair.old.attributes != pair.new.attributes
    return deviation.comparable and (has_changed or not _is_float(pair.old.output))


def _is_float(value: Value | None) -> bool:
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
    """Return what a value's integers stand for, as the operators that read them say."""
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
    numbers = small_constant(step), small_constant(zero)
    if numbers[0] is None or numbers[0].size != 1 or (zero is not None and numbers[1] is None):
        return None
    point = float(numbers[1].reshape(-1)[0]) if numbers[1] is not None else 0.0
    return float(numbers[0].reshape(-1)[0]), point


def _is_captured(value: Value, model: Model) -> bool:
    """Return True for a computed tensor of the main graph."""
    is_made = value.producer is not None and not value.is_constant
    return is_made and value.graph is model.graph and value.type_name == "tensor"


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
        _db(deviation),
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


# Quantizers and channels


def _quantizers(model: Model) -> Iterator[tuple[Converter, tuple[float, float]]]:
    """Iterate over quantizers of activations in the main graph, and the ranges they cover."""
    for quantizer in QuantizationMap(model, Deployment()).activation_quantizers:
        bounds = _bounds(quantizer)
        if bounds is not None and _is_captured(quantizer.source, model):
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


def _saturated(
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


def _dead(seen: Mapping[Value, Observation]) -> Iterator[DeadChannels]:
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
