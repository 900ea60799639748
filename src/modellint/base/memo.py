"""Typed in-memory cache."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K")
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


class Kept(dict[K, T]):
    """Results of a function, each computed on first use: as quick to ask as a dictionary."""

    def __init__(self, make: Callable[[K], T]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: K) -> T:
        made = self[key] = self._make(key)
        return made
