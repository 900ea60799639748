"""Suggestions for unknown words."""

from __future__ import annotations

from collections.abc import Collection


def nearest(word: str, words: Collection[str]) -> str | None:
    """Return the known word closest to a misspelled one, ignoring case."""
    found = similar(word, words, most=1)
    return found[0] if found else None


def similar(word: str, words: Collection[str], most: int) -> list[str]:
    """Return the known words with the most similar spelling, closest first."""
    from difflib import get_close_matches

    by_lower = {known.lower(): known for known in reversed(list(words))}
    return [by_lower[near] for near in get_close_matches(word.lower(), by_lower, n=most)]


def did_you_mean(word: str, words: Collection[str], otherwise: str = "") -> str:
    """Return ``did you mean 'rank'?`` if a known word is close, else `otherwise`."""
    near = nearest(word, words)
    return f"did you mean {near!r}?" if near else otherwise
