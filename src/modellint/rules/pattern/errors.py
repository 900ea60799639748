"""Errors in patterns, with their locations."""

from __future__ import annotations

from collections.abc import Collection

from modellint.base.errors import ModellintError
from modellint.base.suggest import did_you_mean


class PatternError(ModellintError):
    """An error in a rule's ``[[match]]`` block, shown with a caret under its location."""

    def __init__(self, message: str, part: str, text: str, line: int, column: int) -> None:
        source = text.splitlines()[line - 1] if text else ""
        indent = len(source) - len(source.lstrip())
        super().__init__(
            f"{part}, line {line}, column {column}: {message}\n"
            f"    {source.strip()}\n"
            f"    {' ' * (column - 1 - indent)}^"
        )
        self.reason = message
        self.part = part
        self.line = line
        self.column = column


class WorkLimitError(ModellintError):
    """A rule's expressions take more work on a model than any rule should need."""


def hint(word: str, known: Collection[str]) -> str:
    """Return `` (did you mean 'rank'?)`` if a similar word is known, else an empty text."""
    guess = did_you_mean(word, known)
    return f" ({guess})" if guess else ""
