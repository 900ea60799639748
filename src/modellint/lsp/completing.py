"""Completions, and hover texts for the word at a position."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from modellint.base.mistakes import KeyPath
from modellint.base.toml_text import Cursor, Range, TomlText
from modellint.config.places import PYPROJECT, PYPROJECT_TABLE
from modellint.lsp import rule_words, settings_words, target_words
from modellint.lsp.documents import OpenDocument
from modellint.lsp.texts import kind_of
from modellint.lsp.words import Project, Word

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_REST = re.compile(r"[A-Za-z0-9_-]*[ \t]*(=)?")
_WORDS = {"configuration": settings_words, "rule": rule_words, "target": target_words}


class Completion:
    """The words that can be written at an offset of a document."""

    def __init__(self, document: OpenDocument, offset: int) -> None:
        self._document = document
        self._offset = offset
        self._project = Project(document.path)
        self._kind = kind_of(document) or "configuration"
        self._cursor = TomlText(document.text[:offset]).cursor
        self.words = list({word.text: word for word in self._words()}.values())

    def items(self) -> list[dict[str, Any]]:
        return [self._item(number, word) for number, word in enumerate(self.words)]

    def _words(self) -> Iterable[Word]:
        cursor = self._cursor
        if cursor.kind == "none":
            return ()
        path = own_path(self._document, cursor.path)
        if cursor.kind == "header":
            return self._headers()
        if path is None:
            return ()
        if cursor.kind == "key":
            known = _WORDS[self._kind].keys(path, self._project)
            return [word for word in known if not self._has(cursor, word)]
        if not path:
            return ()
        toml = self._document.toml
        if self._kind == "rule":
            return rule_words.values(path, cursor.typed, toml, self._project)
        if self._kind == "target":
            return target_words.values(path, self._project)
        return settings_words.values(path, toml, self._project)

    def _headers(self) -> Iterator[Word]:
        if self._kind != "configuration":
            yield from _WORDS[self._kind].headers()
            return
        is_below = self._document.path.name == PYPROJECT
        before = ".".join((*PYPROJECT_TABLE, "")) if is_below else ""
        if is_below:
            yield Word(".".join(PYPROJECT_TABLE), meaning="modellint's configuration.")
        for word in settings_words.headers():
            yield Word(before + word.text, word.detail, word.meaning, word.kind)

    def _has(self, cursor: Cursor, word: Word) -> bool:
        """Return True for a key that its table has already, elsewhere."""
        path = (*cursor.path, word.text)
        return any(
            place.path == path and place.key is not None and not place.key.holds(self._offset)
            for place in self._document.toml.places
        )

    def _item(self, number: int, word: Word) -> dict[str, Any]:
        part = self._replaced
        return {
            "label": word.text,
            "kind": word.kind,
            "sortText": f"{number:05}",
            "filterText": self._document.text[part.start : part.start + self._quotes] + word.text,
            "textEdit": {"range": self._document.range(part), "newText": self._written(word)},
            **({"detail": word.detail} if word.detail else {}),
        }

    @property
    def _replaced(self) -> Range:
        """The part of the text that a completion replaces."""
        cursor = self._cursor
        if self._is_inside:
            return Range(self._offset - len(rule_words.last_word(cursor.typed)), self._offset)
        return Range(cursor.start, self._offset + self._closing)

    @property
    def _is_inside(self) -> bool:
        """True inside a pattern or an expression, part of which a completion replaces."""
        names = {each for each in self._cursor.path if isinstance(each, str)}
        inside = rule_words.EXPRESSIONS | {"pattern"}
        return self._kind == "rule" and self._cursor.kind == "value" and bool(names & inside)

    @property
    def _closing(self) -> int:
        """Length of the quotes that close the value already."""
        quote = self._cursor.quote
        return len(quote) if quote and self._document.text.startswith(quote, self._offset) else 0

    @property
    def _quotes(self) -> int:
        return 0 if self._is_inside else len(self._cursor.quote)

    def _written(self, word: Word) -> str:
        cursor = self._cursor
        if cursor.kind == "value":
            if self._is_inside or word.is_plain:
                return word.text
            quote = cursor.quote or '"'
            return f"{quote}{word.text}{quote}"
        text = word.text if _BARE.fullmatch(word.text) or cursor.kind == "header" else ""
        text = text or f'"{word.text}"'
        rest = _REST.match(self._document.text, self._offset)
        has_value = rest is not None and rest[1] is not None
        return text if cursor.kind == "header" or has_value else f"{text} = "


def own_path(document: OpenDocument, path: KeyPath) -> KeyPath | None:
    """Return a path within the settings; None for what another tool's table has."""
    if document.path.name != PYPROJECT:
        return path
    size = len(PYPROJECT_TABLE)
    return path[size:] if path[:size] == PYPROJECT_TABLE else None


def meaning_at(document: OpenDocument, offset: int) -> dict[str, Any] | None:
    """Return the meaning of a key or a value."""
    place = document.toml.at(offset)
    path = own_path(document, place.path) if place is not None else None
    if place is None or not path:
        return None
    project, kind = Project(document.path), kind_of(document) or "configuration"
    if place.key is not None and place.key.holds(offset):
        meaning = _WORDS[kind].key_meaning(path, project)
    elif place.text is None:
        return None
    elif kind == "target":
        meaning = target_words.value_meaning(path, place.text, project)
    elif kind == "rule":
        at = max(offset - place.content, 0)
        meaning = rule_words.value_meaning(path, place.text, at, project)
    else:
        meaning = settings_words.value_meaning(path, place.text, document.toml, project)
    return {"contents": {"kind": "markdown", "value": meaning}} if meaning else None


def rule_file_at(document: OpenDocument, offset: int) -> Path | None:
    """Return the file of the rule that is named at an offset."""
    place = document.toml.at(offset)
    path = own_path(document, place.path) if place is not None else None
    if place is None or not path or kind_of(document) != "configuration":
        return None
    name = settings_words.rule_named(path, place.text)
    rule = Project(document.path).rule(name) if name else None
    return rule.path if rule is not None else None
