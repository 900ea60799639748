"""Random inputs for a model, within the ranges that it accepts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modellint.base.errors import ModellintError
from modellint.execution.arrays import Arrays
from modellint.execution.meanings import Meaning, meaning_of
from modellint.execution.sizes import input_shapes
from modellint.model import DType, Model, Value
from modellint.targets.deployment import Deployment

MOST = 1 << 30
"""Maximum bytes of an input: a file may declare more than any machine has."""
WORDS = ("a", "small", "text", "of", "no", "meaning")
FEW = 8
"""Number of different integers where nothing is known of their meaning."""
_MASK = re.compile(r"mask", re.IGNORECASE)
_LENGTH = re.compile(r"(^|_)(len|lens|length|lengths)($|_|\.)", re.IGNORECASE)
_POSITION = re.compile(r"position|(^|_)pos($|_)", re.IGNORECASE)
_SEGMENT = re.compile(r"token_type|segment", re.IGNORECASE)

Rows = NDArray[Any]


class NoInputsError(ModellintError):
    """No random inputs can be generated for a model."""


def made_up(
    model: Model, seed: int = 0, number: int = 0, deployment: Deployment | None = None
) -> Arrays:
    """Return random inputs of the declared types and shapes.

    Equal arguments give equal inputs. `number` chooses the sizes of open dims: 0, 1 and 2 differ.
    Indices stay within the tables they are looked up in, masks hide the end of rows, and lengths
    are those of sequences.
    """
    odd = next((v for v in model.inputs if v.type_name != "tensor" and not v.is_constant), None)
    if odd is not None:
        raise NoInputsError(f"its input {odd.name!r} has the type {odd.type_name}")
    shapes = input_shapes(model, number, deployment or Deployment())
    made = {}
    for index, value in enumerate(model.fed):
        random = np.random.default_rng((seed, number, index))
        shape = shapes[value.name]
        dtype = value.declared_dtype
        if dtype is None or dtype.kind == "undefined":
            raise NoInputsError(f"its input {value.name!r} has no type")
        if dtype.nbytes(max(1, int(np.prod(shape, dtype=float)))) > MOST:
            raise NoInputsError(f"its input {value.name!r} would take more than 1 GiB")
        made[value.name] = _array(model, value, dtype, shape, random, shapes)
    return made


def _array(
    model: Model,
    value: Value,
    dtype: DType,
    shape: tuple[int, ...],
    random: np.random.Generator,
    shapes: dict[str, tuple[int, ...]],
) -> Rows:
    if dtype.kind == "string":
        return np.asarray(random.choice(WORDS, shape))
    is_mask = bool(_MASK.search(value.name)) and "pixel" not in value.name
    if dtype.kind == "bool":
        return _mask(shape, random) if is_mask and shape else random.random(shape) < 0.5
    if dtype.is_float:
        made = _mask(shape, random) if is_mask else random.standard_normal(shape)
        return np.asarray(made).astype(dtype.numpy)
    if dtype.kind == "complex":
        parts = random.standard_normal((2, *shape))
        return np.asarray(parts[0] + 1j * parts[1]).astype(dtype.numpy)
    whole = _integers(value, dtype, meaning_of(model, value), shape, random, is_mask, shapes)
    return np.asarray(whole).astype(dtype.numpy)


def _integers(
    value: Value,
    dtype: DType,
    meaning: Meaning,
    shape: tuple[int, ...],
    random: np.random.Generator,
    is_mask: bool,
    shapes: dict[str, tuple[int, ...]],
) -> Rows:
    limit = meaning.limit
    if meaning.is_length or (_LENGTH.search(value.name) and limit is None):
        longest = max((max(s, default=1) for n, s in shapes.items() if n != value.name), default=4)
        return _lengths(value, shape, random, longest)
    if is_mask and limit is None:
        return _mask(shape, random)
    if _POSITION.search(value.name) and shape:
        return np.broadcast_to(np.arange(shape[-1]) % (limit or shape[-1] or 1), shape)
    if _SEGMENT.search(value.name):
        return random.integers(0, min(2, limit or 2), shape)
    if limit is not None:
        return random.integers(0, max(1, min(limit, 2 ** int(dtype.bits - 1))), shape)
    if meaning.choices and not meaning.is_truth:
        return random.choice(sorted(meaning.choices), shape)
    if meaning.is_size:
        return random.integers(1, 4, shape)
    if dtype.bits <= 8:
        low = -(2 ** int(dtype.bits - 1)) if dtype.kind == "int" else 0
        return random.integers(low, low + 2 ** int(dtype.bits), shape)
    return random.integers(0, 2 if meaning.is_truth else FEW, shape)


def _mask(shape: tuple[int, ...], random: np.random.Generator) -> Rows:
    """Return ones, then zeros, along the last axis; the first row is ones alone."""
    if not shape:
        return np.asarray(True)
    length = shape[-1]
    kept = random.integers((length + 1) // 2, length + 1, shape[0] if len(shape) > 1 else 1)
    kept[:1] = length
    rows = np.arange(length) < kept.reshape(-1, *[1] * (len(shape) - 1))
    if len(shape) == 1:
        return rows.reshape(length)
    return np.broadcast_to(rows.reshape(-1, *[1] * (len(shape) - 2), length), shape)


def _lengths(
    value: Value, shape: tuple[int, ...], random: np.random.Generator, longest: int
) -> Rows:
    bounds = [longest, *_sequences(value)]
    most = max(1, min(bounds))
    return random.integers((most + 1) // 2, most + 1, shape)


def _sequences(value: Value) -> Iterator[int]:
    """Iterate over the lengths of the sequences that it states the lengths of, if fixed."""
    for node, _ in value.consumers:
        sequences = node.input(0)
        dims = sequences.shape if sequences is not None else None
        if dims and isinstance(dims[0], int):
            yield dims[0]
