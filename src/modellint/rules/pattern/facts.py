"""Facts of matches, of limited length: a finding repeats them, and a model may have a thousand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modellint.base.text import LONGEST_NAME, shorten

MOST_FACTS = 50
LONGEST_FACTS = 4000
"""Limit on the characters that all facts of a match take."""
_ELLIPSIS = "…"


def written(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts, with long texts and lists abbreviated."""
    writing = _Writing(LONGEST_FACTS)
    return {name: writing.abbreviated(fact) for name, fact in facts.items()}


class _Writing:
    """Characters that are left for facts."""

    def __init__(self, left: int) -> None:
        self.left = left

    def abbreviated(self, fact: Any) -> Any:
        if isinstance(fact, str):
            text = shorten(fact, max(min(LONGEST_NAME, self.left), 10))
            fact = fact if text == fact else text
            self.left -= len(text)
        elif isinstance(fact, tuple):
            return self._items(fact)
        elif isinstance(fact, int):
            self.left -= fact.bit_length() // 3
        self.left -= 1
        return fact

    def _items(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        kept: list[Any] = []
        for item in items:
            if self.left <= 0:
                return (*kept, _ELLIPSIS)
            kept.append(self.abbreviated(item))
            self.left -= 1
        return tuple(kept)
