"""Assumptions about dims that a deployment leaves open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from modellint.base.memo import Remembered
from modellint.base.records import dataclass
from modellint.model import Dim, Model, Shape, Value, is_static, small_integers
from modellint.operators import Trait, having
from modellint.targets.deployment import Deployment, ShapeProfile
from modellint.targets.profiles import InputProfile, input_profiles

BATCH = 1
SEQUENCE = 128
IMAGE_SIDE = 224
SAMPLES = 16_000
"""One second of audio at the sample rate of speech models."""
REACH = 8
"""Limit on the values between the tokens and their embedding."""
MOST_KEPT = 8
"""Sets of sizes that are kept for a model: a search for the largest batch tries many."""
_MOVES = having(Trait.VIEW, Trait.CAST)


@dataclass(frozen=True, slots=True)
class Settled:
    """A deployment in which all dims of all inputs are numbers."""

    deployment: Deployment
    assumed: Mapping[str, int]
    """Assumed sizes by symbol, or by ``input[axis]`` for unnamed dims."""
    following: frozenset[str] = frozenset()
    """Assumed sizes that follow from other dims, such as a decoder's mask with a cache."""


_SETTLED: Remembered[dict[object, Settled]] = Remembered()


def settle(model: Model, deployment: Deployment) -> Settled:
    """Set all dims that the deployment leaves open; profiles count at their maximum.

    Assumes batch 1, images of 224 x 224, sequences of 128 and one second of audio, and reports
    these assumptions.
    """
    if not any(_is_open(value) for value in model.fed):
        return Settled(deployment, {})
    kept, key = model.memo.get(_SETTLED, None, dict), deployment.facet("shapes")
    if key not in kept:
        if len(kept) == MOST_KEPT:
            kept.clear()
        kept[key] = _settled(model, deployment)
    sizes = kept[key].deployment
    return replace(
        kept[key], deployment=replace(deployment, shapes=sizes.shapes, symbols=sizes.symbols)
    )


def _settled(model: Model, deployment: Deployment) -> Settled:
    """Settle the sizes, which depend on nothing of the deployment but its sizes."""
    profiles = [each for each in input_profiles(model, deployment) if each.is_dynamic]
    assumed: dict[str, int] = {}
    takes_sound = _takes_sound(model)
    for profile in profiles:
        for axis in profile.open_axes:  # the first use of a symbol decides its meaning
            is_sound = takes_sound and axis == 1
            usual = SAMPLES if is_sound else _usual(profile.declared, axis)
            assumed.setdefault(_name(profile, axis), usual)
    assumed |= _as_long_as_positions(model, assumed)
    known = {
        dim: size[2]
        for profile in profiles
        for dim, size in zip(profile.declared, profile.ranges, strict=True)
        if isinstance(dim, str) and size is not None
    }
    following = _length_with_cache(model, deployment, {**assumed, **known}, assumed)
    assumed |= following
    shapes = dict(deployment.shapes)
    symbols = dict(deployment.symbols)
    for profile in profiles:
        closed = []
        for axis, (dim, size) in enumerate(zip(profile.declared, profile.ranges, strict=True)):
            closed.append(assumed[_name(profile, axis)] if size is None else size[2])
            if isinstance(dim, str):
                symbols[dim] = closed[-1]
        shape = tuple(closed)
        shapes[profile.value.name] = ShapeProfile(shape, shape, shape)
    return Settled(
        replace(deployment, shapes=shapes, symbols=symbols), assumed, frozenset(following)
    )


def _is_open(value: Value) -> bool:
    return value.declared_shape is not None and not is_static(value.declared_shape)


def _name(profile: InputProfile, axis: int) -> str:
    dim = profile.declared[axis]
    return dim if isinstance(dim, str) else f"{profile.value.name}[{axis}]"


def _as_long_as_positions(model: Model, assumed: Mapping[str, int]) -> dict[str, int]:
    """Return token lengths limited by the model's table of positions."""
    length, masks = token_lengths(model)
    names = [name for name in (length, *masks) if assumed.get(name) == SEQUENCE]
    limit = min(_tables(model), default=SEQUENCE) if names else SEQUENCE
    return dict.fromkeys(names, limit) if limit < SEQUENCE else {}


def _tables(model: Model) -> Iterator[int]:
    """Iterate over the lengths of constants that are sliced to a computed length."""
    for node in model.nodes("Slice"):
        table, ends, axes = node.input(0), node.input(2), node.input(3)
        if table is None or table.tensor is None or ends is None or ends.is_constant:
            continue
        axis = small_integers(axes) or ()
        rank = len(table.tensor.shape)
        if len(axis) == 1 and -rank <= axis[0] < rank:
            yield table.tensor.shape[axis[0]]


def _length_with_cache(
    model: Model, deployment: Deployment, sizes: Mapping[str, int], assumed: Mapping[str, int]
) -> dict[str, int]:
    """Return the length of a decoder's mask, which covers cached and new tokens, if not given."""
    from modellint.analysis.kv_cache import kv_cache  # its precision rests on settled sizes

    length, others = token_lengths(model)
    if length not in sizes or not others:
        return {}
    cache = kv_cache(model, deployment)
    past = sizes.get(cache.sequence_symbol or "") if cache is not None else None
    if past is None:
        return {}
    return {name: past + sizes[length] for name in others if name in assumed}


def token_lengths(model: Model) -> tuple[str, frozenset[str]]:
    """Return the name of the tokens' open length, and other names of it in masks and caches.

    Both are empty without tokens, or with tokens of several lengths.
    """
    named = [(value, dim) for value, (_, dim) in _texts(model) if isinstance(dim, str)]
    lengths = {dim for value, dim in named if _is_looked_up(value)}
    if len(lengths) != 1:
        return "", frozenset()
    return next(iter(lengths)), frozenset(dim for _, dim in named) - lengths


def _texts(model: Model) -> Iterator[tuple[Value, tuple[Dim, Dim]]]:
    """Iterate over inputs of shape (batch, length): tokens, positions, masks."""
    for value in model.inputs:
        shape = value.declared_shape
        if not value.is_constant and shape is not None and len(shape) == 2:
            yield value, (shape[0], shape[1])


def _is_looked_up(value: Value) -> bool:
    """Return True if the elements are indices of an embedding, possibly after a reshape."""
    pending, seen = [value], 0
    while pending and seen < REACH:
        seen += 1
        for node, index in pending.pop(0).consumers:
            if node.op_type == "Gather" and index == 1:
                return True
            result = node.output()
            if node.op_type in _MOVES and index == 0 and result is not None:
                pending.append(result)
    return False


def _usual(shape: Shape, axis: int) -> int:
    name = str(shape[axis]).lower()
    if "batch" in name or (axis == 0 and "seq" not in name):
        return BATCH
    spatial = axis >= 2 and len(shape) in (4, 5)
    if spatial and ("height" in name or "width" in name or _is_image(shape)):
        return IMAGE_SIDE
    return SEQUENCE


def _takes_sound(model: Model) -> bool:
    """Return True if all inputs are rows of floats of any length."""
    fed = [value for value in model.inputs if not value.is_constant]
    if len(fed) != 1 or len(fed[0].declared_shape or ()) != 2:
        return False
    dtype = fed[0].declared_dtype
    return dtype is not None and dtype.is_float


def _is_image(shape: Shape) -> bool:
    """Return True for few channels and open sides; a cache has a known head size instead."""
    channels, *sides = shape[1:]
    is_open = not any(isinstance(side, int) for side in sides)
    return isinstance(channels, int) and channels <= 4 and is_open
