"""Comparison of numbers in small constants, within the accuracy of their type."""

from __future__ import annotations

import math

from modellint.model import Tensor


def uniform_number(tensor: Tensor) -> float | None:
    """Return the number that all elements of a small tensor equal, or None."""
    elements = tensor.if_small()
    if elements is None or elements.size == 0 or tensor.dtype.kind in ("string", "complex"):
        return None
    first = elements.flat[0]
    if elements.size > 1 and not bool((elements == first).all()):
        return None
    return int(first) if tensor.dtype.is_integer else float(first)


def is_about(number: float, literal: float, tensor: Tensor) -> bool:
    """Return True if equal within the accuracy of the stored type and of five digits."""
    if not tensor.dtype.is_float:
        return number == literal
    return math.isclose(number, literal, rel_tol=_tolerance(tensor))


def _tolerance(tensor: Tensor) -> float:
    if tensor.dtype.bits >= 32:
        return 1e-4
    return 1e-3 if tensor.dtype.name == "float16" else 1e-2
