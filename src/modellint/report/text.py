"""Text in color: pieces with a style each, to wrap, shorten and print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from modellint.base.expressions import late
from modellint.base.text import cells, escaped, shorten

Style = str
"""Parameters of an ANSI escape sequence, joined by `;`."""

PLAIN: Style = ""
BOLD: Style = "1"
# Of the sixteen colors, those readable on both dark and light backgrounds. No dim text and no bold
# yellow, which are too pale on white, and no plain blue, which is too dark on black.
LINES: Style = "94"
NAME: Style = "36"
GOOD: Style = "32"
FAIR: Style = "33"
POOR: Style = "1;31"
FIX: Style = "1;32"
SEVERITIES: Mapping[str, Style] = {"error": POOR, "warning": FAIR, "info": NAME}

_WORD = late(r"(?:\A\s+)?\S+\s*")


class Piece(NamedTuple):
    text: str
    style: Style = PLAIN
    link: str = ""


class Text:
    """Immutable line of text, made of pieces."""

    __slots__ = ("pieces",)

    def __init__(self, text: str = "", style: Style = PLAIN, link: str = "") -> None:
        self.pieces: tuple[Piece, ...] = (Piece(text, style, link),) if text else ()

    @classmethod
    def of(cls, *parts: Text | str) -> Text:
        made = cls()
        pieces: list[Piece] = []
        for part in parts:
            if isinstance(part, Text):
                pieces += part.pieces
            elif part:
                pieces.append(Piece(part))
        made.pieces = tuple(pieces)
        return made

    @property
    def plain(self) -> str:
        pieces = self.pieces
        return pieces[0].text if len(pieces) == 1 else "".join([piece.text for piece in pieces])

    @property
    def width(self) -> int:
        """Columns on a terminal."""
        return sum([cells(piece.text) for piece in self.pieces])

    def __add__(self, other: Text | str) -> Text:
        return Text.of(self, other)

    def __bool__(self) -> bool:
        return bool(self.pieces)

    def part(self, start: int, end: int) -> Text:
        """Return the characters from `start` up to `end`."""
        made, at, pieces = Text(), 0, []
        for piece in self.pieces:
            text = piece.text[max(start - at, 0) : max(end - at, 0)]
            if text:
                pieces.append(Piece(text, piece.style, piece.link))
            at += len(piece.text)
        made.pieces = tuple(pieces)
        return made

    def join(self, texts: Sequence[Text]) -> Text:
        """Concatenate texts with this one between them."""
        return Text.of(*[part for text in texts for part in (self, text)][1:])

    def rstrip(self) -> Text:
        plain = self.plain
        kept = len(plain.rstrip())
        return self if kept == len(plain) else self.part(0, kept)

    def shortened(self, width: int, ellipsis: str) -> Text:
        """Leave out the middle if the text is too wide; the result has the style of its start."""
        if self.width <= width:
            return self
        return Text(shorten(self.plain, width, ellipsis), self.pieces[0].style)

    def cut(self, width: int) -> Text:
        """Leave out the end if the text is too wide."""
        return self.part(0, next(_chopped(self.plain, width), len(self.plain)))

    def wrapped(self, width: int) -> list[Text]:
        """Break the text into lines between words, or inside words longer than a line."""
        breaks = _breaks(self.plain, width)
        if not breaks:
            return [self.rstrip()]
        lines = zip([0, *breaks], [*breaks, len(self.plain)], strict=True)
        if len(self.pieces) > 1:
            return [self.part(start, end).rstrip() for start, end in lines]
        text, style, link = self.pieces[0]
        return [Text(text[start:end].rstrip(), style, link) for start, end in lines]

    def folded(self, width: int) -> list[Text]:
        """Break a path or a title after separators, or inside names longer than a line."""
        lines: list[Text] = []
        start, plain = 0, self.plain
        while start < len(plain):
            end = start + next(_chopped(plain[start:], width), len(plain) - start)
            if end < len(plain):
                slash = max(plain.rfind("/", start, end), plain.rfind("\\", start, end))
                cut = slash if slash >= 0 else plain.rfind(" ", start, end)
                end = cut + 1 or end
            lines.append(self.part(start, end))
            start = end
        return lines

    def padded(self, width: int, *, to_the_right: bool = False) -> Text:
        padding = " " * (width - self.width)
        return Text.of(padding, self) if to_the_right else Text.of(self, padding)

    def ansi(self) -> str:
        """Return the text with escape sequences for styles and links."""
        return "".join(map(_styled, self.pieces))


def _styled(piece: Piece) -> str:
    text = escaped(piece.text)
    text = f"\x1b[{piece.style}m{text}\x1b[0m" if piece.style else text
    return f"\x1b]8;;{escaped(piece.link)}\x1b\\{text}\x1b]8;;\x1b\\" if piece.link else text


@lru_cache(maxsize=1024)
def _breaks(text: str, width: int) -> tuple[int, ...]:
    """Return the positions at which lines after the first start."""
    if cells(text) <= width:
        return ()
    breaks: list[int] = []
    room = width
    for match in _WORD.finditer(text):
        word, start = match[0], match.start()
        length = cells(word.rstrip())
        if length > room and start:
            breaks.append(start)
            room = width
        if length > width:
            folds = list(_chopped(word.rstrip(), width))
            breaks += [start + at for at in folds]
            word = word[folds[-1] :]
            room = width
        room -= cells(word)
    return tuple(breaks)


def _chopped(text: str, width: int) -> Iterator[int]:
    """Iterate over the positions that split a text into lines regardless of words."""
    room = width
    for at, char in enumerate(text):
        taken = cells(char)
        if taken > room and at:
            yield at
            room = width
        room -= taken
