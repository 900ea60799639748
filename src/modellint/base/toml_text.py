"""Places in TOML text, which may be unfinished: the standard library's parser keeps none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from modellint.base.mistakes import KeyPath
from modellint.base.records import dataclass

DEEPEST = 50
"""Levels of nested arrays, inline tables and dotted keys to follow."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BASIC = re.compile(r'"(?:[^"\\\n]|\\.)*"?')
_LITERAL = re.compile(r"'[^'\n]*'?")
_LONG = {mark: re.compile(rf"(?:\\.|[^\\])*?{mark}|(?:.*)", re.DOTALL) for mark in ('"""', "'''")}
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACES = re.compile(r"[ \t]*")
_LINE = re.compile(r"[^\n]*")
_PLAIN = re.compile(r"[^,\]}\n#]*")
_NEXT_KEY = re.compile(r"[ \t]*(?:[A-Za-z0-9_.-]+|\"[^\"\n]*\"|'[^'\n]*')[ \t]*=")


@dataclass(frozen=True, slots=True)
class Range:
    """A part of a text, as offsets."""

    start: int
    end: int

    def holds(self, offset: int) -> bool:
        return self.start <= offset <= self.end


@dataclass(frozen=True, slots=True)
class TomlPlace:
    """A key, a header, or an element of an array."""

    path: KeyPath
    key: Range | None
    """The last part of the key; None for elements of arrays."""
    value: Range | None = None
    text: str | None = None
    """The content of the value, if it is a string."""
    content: int = 0
    """Offset at which the content of a string begins."""

    @property
    def range(self) -> Range:
        """The part that a message about it is shown at."""
        found = self.key or self.value
        assert found is not None
        return found


@dataclass(frozen=True, slots=True)
class Cursor:
    """The word that is being written at the end of a text."""

    kind: Literal["key", "header", "value", "none"]
    path: KeyPath = ()
    """The table that a key or header belongs to, or the key that a value is for."""
    typed: str = ""
    """The beginning of the key or value, without quotes."""
    start: int = 0
    """Offset at which that begins, quotes included."""
    quote: str = ""
    """The quotes that the value has opened."""


class TomlText:
    """The places of a text, in order, and what is at its end."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.places: list[TomlPlace] = []
        self.cursor = Cursor("none")
        self._at = 0
        self._entries: Counter[KeyPath] = Counter()
        self._scan()

    def find(self, keys: Sequence[str | int]) -> TomlPlace | None:
        """Return the place of a key path, or of the deepest part of it that the text has."""
        wanted, best = tuple(keys), None
        for place in self.places:
            size = len(place.path)
            if place.path == wanted[:size] and size > (len(best.path) if best else 0):
                best = place
        return best

    def at(self, offset: int) -> TomlPlace | None:
        """Return the innermost place whose key or value is at an offset."""
        found = None
        for place in self.places:
            for part in (place.key, place.value):
                if part is not None and part.holds(offset):
                    found = place
        return found

    def line(self, offset: int) -> int:
        """Return the number of the line at an offset, from 1."""
        return self.text.count("\n", 0, offset) + 1

    # Each of the following starts at `_at`, and leaves it after what it has read.

    def _scan(self) -> None:
        table: KeyPath = ()
        while True:
            self._skip(_BLANK)
            if self._ended("key", table):
                return
            if self._text_at("["):
                table = self._header()
            else:
                self._assignment(table, 0)
            if self._is_end:
                return
            self._skip(_LINE)
            self.cursor = Cursor("none")

    def _header(self) -> KeyPath:
        is_array = self._text_at("[[")
        self._at += 1 + is_array
        self._skip(_SPACES)
        start, keys, last = self._at, *self._keys()
        path = self._within_arrays(keys[:-1])
        self._add_parents(path, Range(start, last.start))
        if self._is_end:
            name = keys[-1] if keys else ""
            typed = ".".join(map(str, (*keys[:-1], name)))
            self.cursor = Cursor("header", (), typed, start)
        if is_array and keys:
            whole = (*path, keys[-1])
            self._entries[whole] += 1
            path = (*whole, self._entries[whole] - 1)
        else:
            path = self._within_arrays(keys)
        self._skip(_SPACES)
        if self._text_at("]"):
            self.cursor = Cursor("none")
        self.places.append(TomlPlace(path, last))
        return path

    def _add_parents(self, path: KeyPath, part: Range, known: int = 0) -> None:
        """Add the tables that a dotted key names on its way."""
        for size in range(known + 1, len(path) + 1):
            self.places.append(TomlPlace(path[:size], part))

    def _within_arrays(self, keys: Sequence[str]) -> KeyPath:
        """Return the path of a header, in which an array of tables stands for its last one."""
        path: KeyPath = ()
        for key in keys:
            path = (*path, key)
            if count := self._entries[path]:
                path = (*path, count - 1)
        return path

    def _keys(self) -> tuple[list[str], Range]:
        """Read a dotted key; return its parts and the place of the last."""
        keys: list[str] = []
        last = Range(self._at, self._at)
        while True:
            self._skip(_SPACES)
            start = self._at
            if self._text_at('"'):
                self._skip(_BASIC)
            elif self._text_at("'"):
                self._skip(_LITERAL)
            else:
                self._skip(_BARE)
            last = Range(start, self._at)
            keys.append(self.text[start : self._at].strip("\"'"))
            self._skip(_SPACES)
            if not self._text_at(".") or len(keys) == DEEPEST:
                return keys, last
            self._at += 1

    def _assignment(self, table: KeyPath, depth: int) -> bool:
        """Read a key and its value; return False if there is none."""
        start = self._at
        keys, last = self._keys()
        path = (*table, *keys)
        if self._is_end:
            self.cursor = Cursor("key", (*table, *keys[:-1]), keys[-1], last.start)
        if not self._text_at("="):
            return False
        self._at += 1
        self._add_parents(path[:-1], Range(start, last.start), len(table))
        number = len(self.places)
        self.places.append(TomlPlace(path, last))
        self._skip(_SPACES)
        text, value, content = self._value(path, depth)
        self.places[number] = TomlPlace(path, last, value, text, content)
        return True

    def _value(self, path: KeyPath, depth: int) -> tuple[str | None, Range, int]:
        start = self._at
        self.cursor = Cursor("value", path, "", start)
        for mark in ('"""', "'''", '"', "'"):
            if self._text_at(mark):
                text, content = self._string(path, mark)
                return text, Range(start, self._at), content
        if self._text_at("[") and depth < DEEPEST:
            self._array(path, depth + 1)
        elif self._text_at("{") and depth < DEEPEST:
            self._inline_table(path, depth + 1)
        else:
            self._skip(_PLAIN)
            typed = self.text[start : self._at]
            self._at = start + len(typed.rstrip())
            is_open = self._at == len(self.text)
            self.cursor = Cursor("value", path, typed, start) if is_open else Cursor("none")
        return None, Range(start, self._at), start

    def _string(self, path: KeyPath, mark: str) -> tuple[str, int]:
        start = self._at
        if len(mark) == 3:
            self._at += 3
            self._skip(_LONG[mark])
        else:
            self._skip(_BASIC if mark == '"' else _LITERAL)
        written = self.text[start : self._at]
        is_closed = len(written) >= 2 * len(mark) and written.endswith(mark)
        content = start + len(mark)
        text = self.text[content : self._at - len(mark) * is_closed]
        if len(mark) == 3 and text.startswith(("\n", "\r\n")):
            first = text.index("\n") + 1
            content, text = content + first, text[first:]
        is_open = not is_closed and self._is_end
        self.cursor = Cursor("value", path, text, start, mark) if is_open else Cursor("none")
        return text, content

    def _array(self, path: KeyPath, depth: int) -> None:
        self._at += 1
        count = 0
        while True:
            self._skip(_BLANK)
            if self._ended("value", (*path, count)) or self._is_next_line():
                return
            if self._text_at("]"):
                self._close()
                return
            before = self._at
            text, value, content = self._value((*path, count), depth)
            self.places.append(TomlPlace((*path, count), None, value, text, content))
            if self._is_end:
                return
            self._skip(_BLANK)
            if self._text_at(","):
                self._at += 1
                count += 1
            elif self._at == before:
                return

    def _inline_table(self, path: KeyPath, depth: int) -> None:
        self._at += 1
        while True:
            self._skip(_BLANK)
            if self._ended("key", path):
                return
            if self._text_at("}"):
                self._close()
                return
            if not self._assignment(path, depth) or self._is_end:
                return
            self._skip(_BLANK)
            if self._text_at(","):
                self._at += 1

    def _close(self) -> None:
        self._at += 1
        self.cursor = Cursor("none")

    def _ended(self, kind: Literal["key", "value"], path: KeyPath) -> bool:
        """Return True at the end of the text, where something of a kind could follow."""
        if self._is_end:
            line = self.text[self.text.rfind("\n") + 1 :]
            is_comment = line.lstrip().startswith("#") or " #" in line
            self.cursor = Cursor("none") if is_comment else Cursor(kind, path, "", self._at)
        return self._is_end

    def _is_next_line(self) -> bool:
        """Return True where an array that was not closed meets the next key."""
        at_start = not self.text[self.text.rfind("\n", 0, self._at) + 1 : self._at].strip()
        return at_start and _NEXT_KEY.match(self.text, self._at) is not None

    @property
    def _is_end(self) -> bool:
        return self._at >= len(self.text)

    def _text_at(self, mark: str) -> bool:
        return self.text.startswith(mark, self._at)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self.text, self._at)
        if found is not None:
            self._at = found.end()
