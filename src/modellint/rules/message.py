"""Formatting of rule texts with the facts of a hit."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any

from modellint.base.expressions import late
from modellint.base.text import listed
from modellint.base.units import finite, format_bytes


def format_count(count: float) -> str:
    """Format as ``25.6 M``: three significant digits, decimal suffixes."""
    count = finite(count)
    for suffix in ("", " k", " M", " G", " T"):
        if abs(count) < 1000 or suffix == " T":
            break
        count /= 1000
    return f"{count:.3g}{suffix}"


MOST_IN_FULL = 10**30
"""Larger integers are abbreviated."""
_FIGURES = late(r",?(?:\.\d{1,2})?[defg%]?", re.ASCII)
"""Python's format specs without widths, which could fill the memory."""


def _formatter(format_spec: str) -> Callable[[Any], str]:
    """Return a function that formats like ``format``, without widths, and with additional units.

    Besides Python's format specs of figures: ``{size:bytes}``, ``{macs:count}``,
    ``{names:list}``, and ``{nodes:plural|needs|need}``, which is one word or the other.
    """
    if format_spec == "bytes":
        return format_bytes
    if format_spec == "count":
        return format_count
    if format_spec == "list":
        return format_list
    if format_spec.startswith(PLURAL):
        return lambda value: choose_plural(value, format_spec)
    if not _FIGURES.fullmatch(format_spec):
        raise ValueError(f"unknown format {format_spec!r}")
    return lambda value: _written(value, format_spec)


def _written(value: Any, format_spec: str = "") -> str:
    """Format, but abbreviate huge integers, of which Python writes no digits."""
    if _is_huge(value):
        return f"{finite(value):.3g}"
    if isinstance(value, list | tuple) and any(map(_is_huge, value)):
        return f"[{', '.join(map(_written, value))}]"
    return format(value, format_spec)


def _is_huge(value: object) -> bool:
    return isinstance(value, int) and abs(value) > MOST_IN_FULL


def format_list(names: list[str] | tuple[str, ...], shown: int = 3) -> str:
    """Format as ``'a', 'b', 'c' and 4 more``."""
    return listed([*map(_written, names)], shown, quote="'")


PLURAL = "plural|"


def choose_plural(number: Any, format_spec: str) -> str:
    """Choose a word of ``plural|dim|dims`` by a number or a length."""
    singular, _, plural = format_spec.removeprefix(PLURAL).partition("|")
    count = number if isinstance(number, int | float) else len(number)
    return singular if count == 1 else plural


def fill(template: str, facts: Mapping[str, object]) -> str:
    """Replace every ``{name}`` of a template; unknown names are errors of the rule."""
    if "{" not in template and "}" not in template:
        return _on_one_line(template)
    filled: list[str] = []
    for text, name, formatted in _parts(template):
        filled.append(text)
        if name is not None:
            filled.append(formatted(_fact(name, facts)))
    return " ".join("".join(filled).split())


@lru_cache(maxsize=1024)
def _parts(template: str) -> tuple[tuple[str, str | None, Callable[[Any], str]], ...]:
    """Return the texts of a template, each with the name and the format of the fact after it."""
    parts = tuple(string.Formatter().parse(template))
    for _, _, _, conversion in parts:
        if conversion is not None:
            raise ValueError(f"unknown conversion {conversion!r}")
    return tuple((text, name, _formatter(spec or "")) for text, name, spec, _ in parts)


def _fact(name: str, facts: Mapping[str, object]) -> object:
    try:
        return facts[name]
    except KeyError:
        known = ", ".join(sorted(facts)) or "none"
        raise LookupError(f"unknown fact {name!r}; known: {known}") from None


@lru_cache(maxsize=1024)
def _on_one_line(text: str) -> str:
    return " ".join(text.split())


COMMON_FACTS = frozenset(
    ("node", "op", "value", "graph", "file", "count", "target", "runtime", "precision")
)
"""Facts that checks need not provide; a place is a node, a value or a graph."""


def mistake_in(template: str, facts: Collection[str] | None = None) -> str | None:
    """Return what is wrong with a template, whatever the facts; None if nothing is.

    If the names of all facts are known, others are wrong.
    """
    try:
        fields = [*string.Formatter().parse(template)]
    except ValueError as error:
        return str(error)
    for _, name, spec, conversion in fields:
        if name is None:
            continue
        if not name.isidentifier():
            return f"{name!r} is not the name of a fact"
        if facts is not None and name not in facts:
            return f"unknown fact {name!r}; known: {', '.join(sorted(facts))}"
        if conversion is not None or not _is_format(spec or ""):
            shown = (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            return f"unknown format {shown!r} of {name!r} (example: {{{name}:bytes}})"
    return None


def _is_format(spec: str) -> bool:
    return (
        spec in ("bytes", "count", "list")
        or spec.startswith(PLURAL)
        or _FIGURES.fullmatch(spec) is not None
    )


def as_prose(template: str) -> str:
    """Format the template for documentation, with placeholders as ``‹name›``."""
    parts = string.Formatter().parse(template.strip())
    return "".join(text + _as_prose(name, spec or "") for text, name, spec, _ in parts)


def _as_prose(name: str | None, spec: str) -> str:
    if name is None:
        return ""
    return choose_plural(2, spec) if spec.startswith(PLURAL) else f"‹{name}›"
