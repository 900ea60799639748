"""A chat template, looked at without running it.

Runtimes render it with Jinja, whose expressions are Python's: what reaches Python's own attributes
from a template runs any code where the renderer is not a sandbox, as in CVE-2024-34359.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from modellint.base.records import dataclass

LONGEST = 1 << 20
_OPENING = re.compile(r"\{[{%#]")
_CLOSING = {"{{": "}}", "{%": "%}", "{#": "#}"}
_STRING = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_DUNDER = re.compile(r"(?<!\w)__[a-z]\w*?__(?!\w)")
_ESCAPED = re.compile(r"\\(?:x5f|u005f|137)", re.IGNORECASE)
_STATEMENT = re.compile(r"^[-+]?\s*(include|import|from|extends)\b")
_WORD = re.compile(r"[a-z]+")
_BLOCKS = frozenset({"for", "if", "macro", "call", "filter"})
"""Statements that always have an end. Others, such as ``set``, may have one."""
_HALF_DUNDER = re.compile(r"^.__[a-z]*.$|^.[a-z]*__.$")
"""A string to be joined to such a name."""
_GADGET = re.compile(r"\b(?:lipsum|cycler|joiner|url_for|get_flashed_messages)\s*[.\[]")
_ATTR = re.compile(r"\|\s*attr\s*\(")
_FORMAT = re.compile(r"\.\s*format_map\s*\(")
_POWER = re.compile(r"\brange\s*\(\s*(?:\d+\s*\*\*\s*\d+|\d{8,})")


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A part of a template that does more than format messages."""

    kind: str
    """``attribute``, ``hidden``, ``gadget``, ``file`` or ``endless``."""
    text: str


def mistake(template: str) -> str:
    """Say why no program can render a template; empty if that is not known."""
    if len(template) >= LONGEST:
        return ""
    at = 0
    open_blocks: list[str] = []
    while opening := _OPENING.search(template, at):
        end = template.find(_CLOSING[opening[0]], opening.end())
        if end < 0:
            return f"'{opening[0]}' without '{_CLOSING[opening[0]]}'"
        at = end + 2
        words = _WORD.findall(template[opening.end() : min(end, opening.end() + 100)])
        if opening[0] != "{%" or not words:
            continue
        if words[0] == "raw":  # what follows is plain text
            return ""
        if words[0] in _BLOCKS:
            open_blocks.append(words[0])
        begun = words[0].removeprefix("end")
        ends = begun != words[0] and begun in _BLOCKS
        if ends and (not open_blocks or open_blocks.pop() != begun):
            return f"'{words[0]}' without '{begun}'"
    return f"'{open_blocks[-1]}' without 'end{open_blocks[-1]}'" if open_blocks else ""


def dangers(template: str) -> Iterator[Suspicion]:
    """Iterate over the dangerous parts of a template, at most one of each kind."""
    found: set[str] = set()
    for code in _codes(template[:LONGEST]):
        for suspicion in _dangers_in(code):
            if suspicion.kind not in found:
                found.add(suspicion.kind)
                yield suspicion


def _codes(template: str) -> Iterator[str]:
    """Iterate over expressions and statements; the last may lack its end."""
    at = 0
    while opening := _OPENING.search(template, at):
        end = template.find(_CLOSING[opening[0]], opening.end())
        at = end + 2 if end >= 0 else len(template)
        if opening[0] != "{#":
            yield template[opening.end() : end if end >= 0 else None]


def _dangers_in(code: str) -> Iterator[Suspicion]:
    strings = _STRING.findall(code)
    plain = _STRING.sub("''", code)
    for pattern, text, kind in (
        (_DUNDER, plain, "attribute"),
        *((_DUNDER, string, "attribute") for string in strings),
        *((_HALF_DUNDER, string, "hidden") for string in strings),
        *((_ESCAPED, string, "hidden") for string in strings),
        (_ATTR, plain, "attribute"),
        (_FORMAT, plain, "attribute"),
        (_GADGET, plain, "gadget"),
        (_STATEMENT, plain, "file"),
        (_POWER, plain, "endless"),
    ):
        match = pattern.search(text)
        if match is not None:
            yield Suspicion(kind, match[0].strip())
