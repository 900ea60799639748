"""A keyed store in memory that knows the type of what it keeps."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """One kind of thing that a memo keeps; each kind has keys of its own."""

    __slots__ = ()


class Memo:
    """What was computed once, by kind and key."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: dict[tuple[Remembered[Any], Hashable], Any] = {}

    def get(self, kind: Remembered[T], key: Hashable, make: Callable[[], T]) -> T:
        """The entry of a kind under a key, made on first need."""
        place = kind, key
        if place not in self._entries:
            self._entries[place] = make()
        entry: T = self._entries[place]
        return entry
