"""Widths of texts, which nothing in a report can ask a browser for.

They are those of DejaVu Sans, the widest of the usual fonts without serifs, so that what fits by
them fits in all.
"""

from __future__ import annotations

from functools import lru_cache

from modellint.base.text import cells, clean

SIZE = 12.0
"""Size of text, if nothing else is said, as in the style."""
_ASCII = (
    "32 40 46 84 64 95 78 27 39 39 50 84 32 36 32 34 64 64 64 64 64 64 64 64 64 64 34 34 84 84 84 "
    "53 100 68 69 70 77 63 58 77 75 29 29 66 56 86 75 79 60 79 69 63 61 73 68 99 69 61 69 39 34 39 "
    "84 50 50 61 63 55 63 62 35 63 63 28 28 58 28 97 63 61 63 63 41 52 39 63 59 82 59 59 52 64 34 "
    "64"
)
"""Hundredths of the size, from the space to the closing brace."""
_WIDTHS = {chr(32 + at): int(width) for at, width in enumerate(_ASCII.split())}
_WIDTHS |= {"~": 84, "×": 84, "·": 32, "–": 50, "…": 100, "→": 84, "²": 40, "≥": 84, "≤": 84}
_OTHER = 70
_BOLD = 1.12


@lru_cache(maxsize=4096)
def width_of(text: str, size: float = SIZE, *, bold: bool = False) -> float:
    """Return the width of a text in pixels."""
    hundredths = sum(_WIDTHS.get(char) or _OTHER * cells(char) for char in text)
    return hundredths * size / 100 * (_BOLD if bold else 1)


def fit(text: str, width: float, size: float = SIZE, *, bold: bool = False) -> str:
    """Return as much of a text as fits: its beginning and its end."""
    text = clean(" ".join(text.split()))
    if width_of(text, size, bold=bold) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if width_of(_without_middle(text, middle), size, bold=bold) <= width:
            low = middle
        else:
            high = middle - 1
    return _without_middle(text, low) if low else ""


def _without_middle(text: str, keep: int) -> str:
    end = keep - keep // 3  # names differ at their ends
    return f"{text[: keep - end]}…{text[len(text) - end :]}"


def wrapped(text: str, width: float, size: float = SIZE) -> list[str]:
    """Return the lines of a text."""
    lines: list[str] = []
    line = ""
    for word in clean(" ".join(text.split())).split(" "):
        longer = f"{line} {word}" if line else word
        if line and width_of(longer, size) > width:
            lines.append(line)
            longer = word
        line = fit(longer, width, size) if not lines and longer == word else longer
    return [fit(each, width, size) for each in (*lines, line) if each]
