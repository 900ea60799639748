"""Inline suppression: `modellint.ignore` entries in a model's `metadata_props`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modellint.model import Graph, Model, Node, Tensor, Value
from modellint.rules.rule import Rule
from modellint.rules.selection import covers

KEY = "modellint.ignore"
PROTECTED_FAMILIES = frozenset({"file", "internal"})
"""Families that inline entries cannot suppress."""


class InlineIgnores:
    """Selectors in the metadata of a model, of its graphs and of its nodes."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._answers: dict[tuple[str, str], bool] = {}

    def cover(self, rule: Rule, place: Node | Value | Graph | Tensor | None) -> bool:
        """Return True if the model, the place's graph or the node ignores the rule."""
        if rule.family in PROTECTED_FAMILIES:
            return False
        texts = (metadata.get(KEY) for metadata in self._metadata(place))
        return any(self._covers(text, rule) for text in texts if text)

    def _metadata(self, place: Node | Value | Graph | Tensor | None) -> Iterator[Mapping[str, str]]:
        yield self._model.metadata
        if isinstance(place, Value):
            place = place.producer or place.graph
        if isinstance(place, Node):
            yield place.metadata
            place = place.graph
        if isinstance(place, Graph):
            yield place.metadata

    def _covers(self, text: str, rule: Rule) -> bool:
        question = text, rule.code
        if question not in self._answers:
            selectors = {part.strip() for part in text.split(",")} - {""}
            self._answers[question] = any(covers(selector, rule) for selector in selectors)
        return self._answers[question]
