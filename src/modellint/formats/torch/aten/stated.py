"""Common parts of the meanings: shapes and axes as PyTorch states them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from modellint.formats.torch.aten.arguments import AtenArguments
from modellint.model import Attribute, Value

Values = tuple[Value | None, ...]
LAST = (1 << 63) - 1
Stated = tuple[Values, Mapping[str, Attribute]]
Meaning = Callable[[AtenArguments], "Stated | None"]
"""Returns inputs and attributes as the standard's operator has them; None if it cannot."""


def same_types(*values: Value | None) -> bool:
    return len({value.declared_dtype for value in values if value is not None}) == 1


def rank_of(value: Value | None) -> int | None:
    shape = value.declared_shape if value is not None else None
    return len(shape) if shape is not None else None


def static_shape(value: Value | None) -> tuple[int, ...] | None:
    """Return the shape if it is the same for all inputs."""
    shape = value.declared_shape if value is not None else None
    if shape is None or not all(isinstance(dim, int) for dim in shape):
        return None
    return tuple(dim for dim in shape if isinstance(dim, int))


def spread(numbers: tuple[int, ...], count: int) -> tuple[int, ...] | None:
    """Return a number for each axis of a window, where one stands for all."""
    if len(numbers) == 1:
        return numbers * count
    return numbers if len(numbers) == count else None


def axis_of(given: AtenArguments, name: str, of_value: Value | None) -> int | None:
    """Return an axis counted from the front."""
    axis, rank = given.integer(name), rank_of(of_value)
    if axis is None or rank is None or not -rank <= axis < max(rank, 1):
        return None
    return axis + rank if axis < 0 else axis
