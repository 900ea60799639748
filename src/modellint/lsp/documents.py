"""Documents that an editor has open, and positions in them."""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from modellint.base.records import dataclass
from modellint.base.toml_text import Range, TomlText

UTF_16, UTF_32 = "utf-16", "utf-32"
"""Units of columns: the usual ones, and characters."""
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=False, eq=False)
class OpenDocument:
    """The current text of a document in the editor."""

    uri: str
    path: Path
    text: str
    version: int | None = None
    units: str = UTF_16

    @cached_property
    def toml(self) -> TomlText:
        return TomlText(self.text)

    @cached_property
    def starts(self) -> list[int]:
        """Offsets at which lines start."""
        return [0, *(found.end() for found in _LINE_END.finditer(self.text))]

    def offset(self, position: Any) -> int:
        """Return the offset of a position; beyond a line, its end."""
        line = min(max(int(position["line"]), 0), len(self.starts) - 1)
        start, text = self.starts[line], self.line(line)
        column = max(int(position["character"]), 0)
        if self.units == UTF_16 and not text.isascii():
            column = len(text.encode("utf-16-le")[: 2 * column].decode("utf-16-le", "ignore"))
        return start + min(column, len(text))

    def position(self, offset: int) -> dict[str, int]:
        line = bisect_right(self.starts, offset) - 1
        before = self.text[self.starts[line] : offset]
        is_wide = self.units == UTF_16 and not before.isascii()
        column = len(before.encode("utf-16-le", "surrogatepass")) // 2 if is_wide else len(before)
        return {"line": line, "character": column}

    def line(self, number: int) -> str:
        """Return a line without its end."""
        end = self.starts[number + 1] if number + 1 < len(self.starts) else len(self.text)
        return self.text[self.starts[number] : end].rstrip("\r\n")

    def range(self, part: Range) -> dict[str, Any]:
        return {"start": self.position(part.start), "end": self.position(part.end)}

    def at_line(self, line: int, column: int) -> Range:
        """Return the part from a place, counted from 1, to the end of its line."""
        number = min(max(line, 1), len(self.starts)) - 1
        start, end = self.starts[number], self.starts[number] + len(self.line(number))
        begin = min(start + max(column, 1) - 1, end)
        return Range(begin if begin < end else start, end)


TOP = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}
"""The position of a mistake in a file without lines."""


def path_of(uri: object) -> Path | None:
    """Return the file that a URI names; None for anything else."""
    if not isinstance(uri, str):
        return None
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or "%00" in parts.path:
        return None
    path = unquote(parts.path)
    if os.name == "nt":
        path = path.lstrip("/")
    return Path(path) if path and Path(path).is_absolute() else None


def uri_of(path: Path) -> str:
    return path.absolute().as_uri()
