"""Parsing of shapes: ``1x3x224x224``, or ``1x3x224x224..4x3x224x224..8x3x512x512``."""

from __future__ import annotations

from modellint.base.errors import UsageError
from modellint.targets.deployment import ShapeProfile

EXAMPLE = "example: 1x3x224x224, or min..opt..max as in 1x3x224x224..8x3x224x224..16x3x224x224"


def parse_shape(text: str) -> ShapeProfile:
    """Parse a shape, a minimum and a maximum, or a minimum, optimum and maximum."""
    shapes = [_parse_one(part, text) for part in text.split("..")]
    if len(shapes) > 3 or len({len(shape) for shape in shapes}) != 1:
        raise UsageError(f"invalid shape {text!r} ({EXAMPLE})")
    minimum, *middle, maximum = shapes if len(shapes) > 1 else shapes * 2
    optimum = middle[0] if middle else maximum
    for low, best, high in zip(minimum, optimum, maximum, strict=True):
        if not low <= best <= high:
            raise UsageError(f"{text!r}: dims must not decrease from minimum to optimum to maximum")
    return ShapeProfile(minimum, optimum, maximum)


def _parse_one(part: str, text: str) -> tuple[int, ...]:
    try:
        dims = tuple(int(dim) for dim in part.replace("×", "x").lower().split("x"))
    except ValueError:
        dims = (0,)
    if any(dim < 1 for dim in dims):
        raise UsageError(f"invalid shape {text!r} ({EXAMPLE})")
    return dims
