"""Suggestions for words that are not known."""

from __future__ import annotations

from collections.abc import Collection


def nearest(word: str, words: Collection[str]) -> str | None:
    """The known word that was probably meant; case does not matter."""
    found = similar(word, words, most=1)
    return found[0] if found else None


def similar(word: str, words: Collection[str], most: int) -> list[str]:
    """The known words spelled most like this one, the closest first."""
    from difflib import get_close_matches

    by_lower = {known.lower(): known for known in reversed(list(words))}
    return [by_lower[near] for near in get_close_matches(word.lower(), by_lower, n=most)]


def did_you_mean(word: str, words: Collection[str], otherwise: str = "") -> str:
    """``did you mean 'rank'?`` when a known word is close, else `otherwise`."""
    near = nearest(word, words)
    return f"did you mean {near!r}?" if near else otherwise
