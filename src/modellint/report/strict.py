"""Strict JSON of anything, in one pass: a run's findings can be most of what it writes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring_ascii

from modellint.base.plain import plain

_SURROGATE = re.compile("[\ud800-\udfff]")
_WORDS = {None: "null", True: "true", False: "false"}
_Add = Callable[[str], None]


def dumps(content: object, indent: int | None = None) -> str:
    """Return strict JSON in ASCII, so that no name can send control sequences to a terminal.

    Infinities become texts, and lone surrogates become U+FFFD: strict JSON has neither. `##`, which
    begins commands in the logs of CI systems, is escaped: readers get the text as it is.
    """
    parts: list[str] = []
    step = None if indent is None else " " * indent
    _write(content, "" if step is None else "\n", step, parts.append)
    return "".join(parts)


def _write(content: object, line: str, step: str | None, add: _Add) -> None:
    """Add the parts of a text; `line` begins a line at the level of the content."""
    if isinstance(content, str):
        add(_quoted(content))
    elif isinstance(content, Mapping):
        _write_object({_key(key): value for key, value in content.items()}, line, step, add)
    elif isinstance(content, list | tuple):
        _write_array(content, line, step, add)
    else:
        _write_plain(content, line, step, add)


def _write_object(content: dict[str, object], line: str, step: str | None, add: _Add) -> None:
    if not content:
        add("{}")
        return
    inner, before = (line, ", ") if step is None else (line + step, f",{line}{step}")
    start = "{" + inner
    for key, value in content.items():
        add(f"{start}{_quoted(key)}: ")
        start = before
        _write(value, inner, step, add)
    add(line + "}")


def _write_array(
    content: list[object] | tuple[object, ...], line: str, step: str | None, add: _Add
) -> None:
    if not content:
        add("[]")
        return
    inner, before = (line, ", ") if step is None else (line + step, f",{line}{step}")
    start = "[" + inner
    for value in content:
        add(start)
        start = before
        _write(value, inner, step, add)
    add(line + "]")


def _write_plain(content: object, line: str, step: str | None, add: _Add) -> None:
    """Write a value that is neither a text nor a container, or has to be converted first."""
    if content is None or isinstance(content, bool):
        add(_WORDS[content])
    elif isinstance(content, int):
        add(int.__repr__(content))
    elif isinstance(content, float):
        add(float.__repr__(content) if math.isfinite(content) else f'"{content}"')
    else:
        _write(plain(content), line, step, add)


def _key(key: object) -> str:
    return _printable(key if isinstance(key, str) else str(key))


def _printable(text: str) -> str:
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def _quoted(text: str) -> str:
    quoted = encode_basestring_ascii(_printable(text))
    return quoted.replace("##", r"#\u0023") if "##" in quoted else quoted
