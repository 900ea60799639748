"""Sizes of the dims that a model's inputs leave open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from modellint.analysis.assume import BATCH, IMAGE_SIDE, SAMPLES, SEQUENCE, settle
from modellint.model import Model, Value
from modellint.model.dims import product
from modellint.targets.deployment import Deployment

SIZES: tuple[Mapping[int, int], ...] = (
    {BATCH: 1, SEQUENCE: 8, IMAGE_SIDE: 224, SAMPLES: 16_000},
    {BATCH: 2, SEQUENCE: 5, IMAGE_SIDE: 96, SAMPLES: 12_800},
    {BATCH: 3, SEQUENCE: 24, IMAGE_SIDE: 160, SAMPLES: 8_000},
)
"""Sizes to take, in turn, instead of those that estimates assume."""

MOST = 1 << 24
"""Limit on the elements of an input, if its open dims can be small enough."""
FEW = (4, 1)
"""Sizes of open dims where the usual ones exceed it."""


def input_shapes(model: Model, number: int, deployment: Deployment) -> dict[str, tuple[int, ...]]:
    """Return the shape of every input, open dims in the sizes that come at this number in turn.

    What the deployment states stays, and dims that follow from others follow.
    """
    sizes = SIZES[number % len(SIZES)]
    first = settle(model, deployment)
    symbols = {
        name: min(sizes.get(size, size), size) if size != BATCH else sizes[BATCH]
        for name, size in first.assumed.items()
        if name not in first.following
    }
    symbols |= _totals(symbols) | _sums(first.assumed, symbols)
    second = settle(model, replace(deployment, symbols={**symbols, **deployment.symbols}))
    shapes = {}
    for value in model.fed:
        stated = second.deployment.shapes.get(value.name)
        shape = list(stated.optimum if stated is not None else ())
        for axis, dim in enumerate(value.declared_shape or ()):
            if stated is None:
                shape.append(dim if isinstance(dim, int) else 1)
            elif dim is None:
                shape[axis] = symbols.get(f"{value.name}[{axis}]", shape[axis])
        shapes[value.name] = _reasonable(value, tuple(shape))
    return shapes


def _reasonable(value: Value, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape whose open dims are few where they would multiply to a huge tensor."""
    declared = value.declared_shape or ()
    for few in FEW:
        if product(shape) > MOST:
            shape = tuple(dim if isinstance(dim, int) else few for dim in declared)
    return shape


def _totals(sizes: Mapping[str, int]) -> dict[str, int]:
    """Return the sizes of dims named ``total``: all tokens, cached and new ones."""
    totals = [name for name in sizes if "total" in name]
    past = [name for name in sizes if "past" in name and name not in totals]
    new = [name for name in sizes if "seq" in name and name not in (*past, *totals)]
    if len(past) != 1 or len(new) != 1:
        return {}
    return dict.fromkeys(totals, sizes[past[0]] + sizes[new[0]])


def _sums(names: Mapping[str, int], sizes: Mapping[str, int]) -> dict[str, int]:
    """Return the sizes of dims that exporters name by a sum, such as ``past + length``."""
    sums = {}
    for name in names:
        parts = [part.strip() for part in name.split("+")]
        terms = [int(part) if part.isdecimal() else sizes.get(part) for part in parts]
        known = [term for term in terms if term is not None]
        if len(parts) > 1 and len(known) == len(parts):
            sums[name] = sum(known)
    return sums


__all__ = ["SIZES", "input_shapes"]
