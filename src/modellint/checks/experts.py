"""Mixtures of experts in graphs."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.analysis.fusion import made_by
from modellint.checks.api import Context, Hit
from modellint.model import Node, Value


def experts_all_active(context: Context) -> Iterator[Hit]:
    """Products with the weights of all experts, of which a router selects some."""
    routers = context.nodes("TopK")
    chosen = {count: node for node in routers if (count := _choices(node)) is not None}
    for product in context.nodes("MatMul") if chosen else ():
        weights = product.input(1)
        shape = context.shape(weights) if weights is not None else None
        if weights is None or shape is None or len(shape) != 3 or not context.is_frozen(weights):
            continue
        router = chosen.get(shape[0]) if isinstance(shape[0], int) else None
        if router is not None and _is_repeated(product.input(0)):
            yield Hit(product, {"experts": shape[0], "router": router.label})


def _choices(router: Node) -> int | None:
    """Return the number of experts that a TopK chooses from: the last dim of its input."""
    value = router.input(0)
    shape = value.shape if value is not None else None
    return shape[-1] if shape and isinstance(shape[-1], int) and shape[-1] > 1 else None


def _is_repeated(value: Value | None) -> bool:
    """Return True if a value holds the same tokens for each expert."""
    return made_by(value, "Expand", "Tile", "Unsqueeze") is not None
