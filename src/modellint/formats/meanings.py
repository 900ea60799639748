"""Tables of what operators of a format mean, as text: a name of a meaning, then operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


def meanings(text: str, by_name: Mapping[str, T]) -> dict[str, T]:
    """Return the meaning of each operator: the one whose name, with a colon, is the last before."""
    found: dict[str, T] = {}
    name = ""
    for word in text.split():
        if word.endswith(":"):
            name = word[:-1]
        else:
            found[word] = by_name[name]
    return found
