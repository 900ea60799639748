"""Typed in-memory cache."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """A kind of entries in a memo, with its own keys."""

    __slots__ = ()


class Memo:
    """Cache of computed results by kind and key."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: dict[tuple[Remembered[Any], Hashable], Any] = {}

    def get(self, kind: Remembered[T], key: Hashable, make: Callable[[], T]) -> T:
        """Return the entry of a kind and key, computed on first use."""
        place = kind, key
        if place not in self._entries:
            self._entries[place] = make()
        entry: T = self._entries[place]
        return entry
