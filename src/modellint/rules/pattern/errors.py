"""What is wrong with a pattern, and where it stands."""

from __future__ import annotations

from modellint.errors import ModellintError


class PatternError(ModellintError):
    """A mistake in a rule's ``[match]`` table, shown with a caret under its place."""

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


def did_you_mean(word: str, known: object) -> str:
    """`` (did you mean 'rank'?)`` when something near is known, else nothing."""
    from difflib import get_close_matches

    near = get_close_matches(word, [str(name) for name in known], 1)  # type: ignore[attr-defined]
    return f" (did you mean {near[0]!r}?)" if near else ""
