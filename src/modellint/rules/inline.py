"""Inline suppression: `modellint.ignore` entries in a model's `metadata_props`."""

from __future__ import annotations

from collections.abc import Mapping

from modellint.model import Graph, Model, Node, Tensor, Value
from modellint.rules.rule import Rule
from modellint.rules.selection import covers

KEY = "modellint.ignore"
PROTECTED_FAMILIES = frozenset({"file", "internal"})
"""Families that inline entries cannot suppress."""


def inline_ignores(model: Model) -> frozenset[str]:
    """Return the selectors that the model as a whole ignores."""
    return _entries(model.metadata)


def is_ignored(
    model_wide: frozenset[str], rule: Rule, place: Node | Value | Graph | Tensor | None
) -> bool:
    """Return True if the model, the place's graph or the node ignores the finding."""
    if rule.family in PROTECTED_FAMILIES:
        return False
    entries = model_wide
    if isinstance(place, Value):
        place = place.producer or place.graph
    if isinstance(place, Node):
        entries = entries | _entries(place.metadata) | _entries(place.graph.metadata)
    elif isinstance(place, Graph):
        entries = entries | _entries(place.metadata)
    return any(covers(entry, rule) for entry in entries)


def _entries(metadata: Mapping[str, str]) -> frozenset[str]:
    return frozenset(part.strip() for part in metadata.get(KEY, "").split(",") if part.strip())
