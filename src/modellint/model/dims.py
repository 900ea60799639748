"""Shapes: a dim is an int, a named symbol, or unknown; a shape of unknown rank is None."""

from __future__ import annotations

from collections.abc import Mapping

Dim = int | str | None
Shape = tuple[Dim, ...]
MADE_UP = "unk__"


def is_static(shape: Shape | None) -> bool:
    """Whether every dim is a number."""
    if shape is None:
        return False
    for dim in shape:  # noqa: SIM110 - asked of every value, often: a generator takes thrice as long
        if not isinstance(dim, int):
            return False
    return True


def element_count(shape: Shape | None) -> int | None:
    """The number of elements, or None when a dim is not a number."""
    if shape is None:
        return None
    count = 1
    for dim in shape:
        if not isinstance(dim, int):
            return None
        count *= dim
    return count


def bind(shape: Shape | None, bindings: Mapping[str, int]) -> Shape | None:
    """The shape with named symbols replaced where a binding is known."""
    if shape is None or not bindings or is_static(shape):
        return shape
    return tuple([bindings.get(dim, dim) if isinstance(dim, str) else dim for dim in shape])


def format_shape(shape: Shape | None) -> str:
    """``1×3×224×224`` with symbols by name, ``?`` for an unknown dim, ``scalar`` for rank 0.

    Names that onnx's shape inference makes up (``unk__3``) are as good as none.
    """
    if shape is None:
        return "?"
    if not shape:
        return "scalar"
    return "×".join(
        "?" if dim is None or str(dim).startswith(MADE_UP) else str(dim) for dim in shape
    )
