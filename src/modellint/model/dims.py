"""Shapes: a dim is an int, a named symbol, or unknown; a shape of unknown rank is None."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

Dim = int | str | None
Shape = tuple[Dim, ...]


def is_static(shape: Shape | None) -> bool:
    """Whether every dim is a number."""
    return shape is not None and all(isinstance(dim, int) for dim in shape)


def element_count(shape: Shape | None) -> int | None:
    """The number of elements, or None when a dim is not a number."""
    if shape is None:
        return None
    numbers = [dim for dim in shape if isinstance(dim, int)]
    return prod(numbers) if len(numbers) == len(shape) else None


def bind(shape: Shape | None, bindings: Mapping[str, int]) -> Shape | None:
    """The shape with named symbols replaced where a binding is known."""
    if shape is None or not bindings:
        return shape
    return tuple(bindings.get(dim, dim) if isinstance(dim, str) else dim for dim in shape)


def format_shape(shape: Shape | None) -> str:
    """``1×3×224×224`` with symbols by name, ``?`` for an unknown dim, ``scalar`` for rank 0."""
    if shape is None:
        return "?"
    if not shape:
        return "scalar"
    return "×".join("?" if dim is None else str(dim) for dim in shape)
