"""The text format of Protocol Buffers, used by `config.pbtxt`: tables of repeated fields.

Neither types nor field names are checked: the server does that itself, with its own schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field

from modellint.base.records import dataclass

DEEPEST = 64
_TOKEN = re.compile(
    r"\s+|#[^\n]*"
    r"|(?P<text>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_.]*)"
    r"|(?P<number>[-+]?[0-9.][0-9A-Za-z.+-]*)"
    r"|(?P<mark>[{}\[\]<>:,;])"
)
_OPENING = {"{": "}", "<": ">"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class TextError(ValueError):
    """A mistake in the text, with its line."""


@dataclass(slots=True)
class Fields:
    """One message: the values of each field, in order."""

    values: dict[str, list[str | Fields]] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return the last value of a field; empty without one."""
        found = [value for value in self.values.get(name, ()) if isinstance(value, str)]
        return found[-1] if found else ""

    def texts(self, name: str) -> list[str]:
        return [value for value in self.values.get(name, ()) if isinstance(value, str)]

    def whole(self, name: str, default: int = 0) -> int:
        """Return a field's integer."""
        return _whole(self.text(name), default)

    def wholes(self, name: str) -> list[int]:
        return [_whole(text, 0) for text in self.texts(name)]

    def messages(self, name: str) -> list[Fields]:
        return [value for value in self.values.get(name, ()) if isinstance(value, Fields)]


def parse(text: str) -> Fields:
    """Return the fields of a text. Raises TextError."""
    return _Parser(text).fields("", 0)


def _whole(text: str, default: int) -> int:
    return int(text) if re.fullmatch(r"[-+]?[0-9]{1,18}", text, re.ASCII) else default


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._line = 1
        self._current = ""
        self._next()

    def fields(self, end: str, depth: int) -> Fields:
        if depth > DEEPEST:
            raise self._mistake("messages are nested too deeply")
        found = Fields()
        while self._current != end:
            if not self._current or not (self._current[0].isalpha() or self._current[0] == "_"):
                raise self._mistake(f"expected a field, found {self._current or 'the end'}")
            name = self._current
            self._next()
            if self._current == ":":
                self._next()
            found.values.setdefault(name, []).extend(self._values(depth))
            if self._current in (",", ";"):
                self._next()
        self._next()
        return found

    def _values(self, depth: int) -> Iterator[str | Fields]:
        if self._current != "[":
            yield self._value(depth)
            return
        self._next()
        if self._current == "]":
            self._next()
            return
        yield self._value(depth)
        while self._current == ",":
            self._next()
            yield self._value(depth)
        if self._current != "]":
            raise self._mistake(f"expected ], found {self._current or 'the end'}")
        self._next()

    def _value(self, depth: int) -> str | Fields:
        word = self._current
        if word in _OPENING:
            self._next()
            return self.fields(_OPENING[word], depth + 1)
        if not word or word in "]}>:,;[":
            raise self._mistake(f"expected a value, found {word or 'the end'}")
        self._next()
        value = _plain(word)
        while word[0] in "\"'" and self._current[:1] in ('"', "'"):  # neighbors are one string
            value += _plain(self._current)
            self._next()
        return value

    def _next(self) -> None:
        self._current, self._line = next(self._tokens, ("", self._line))

    def _mistake(self, detail: str) -> TextError:
        return TextError(f"line {self._line}: {detail}")


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    at, line = 0, 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise TextError(f"line {line}: unexpected {text[at]!r}")
        if match.lastgroup is not None:
            yield match[0], line
        line += match[0].count("\n")
        at = match.end()


def _plain(token: str) -> str:
    if token[0] not in "\"'":
        return token
    return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), token[1:-1])
