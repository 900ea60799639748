"""Text formatting: sanitized and shortened names, readable figures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

from modellint.base.expressions import late

LONGEST_NAME = 500
"""Limit on the name of anything in a model; it is shown with each finding, and in each output."""
LONGEST_WORD = 100
LONGEST_TEXT = 1000

_LONG_WORD = late(rf"\S{{{LONGEST_WORD + 1},}}")

_PLAIN = str.maketrans({"×": "x", "…": "...", "·": "-", "–": "-", "→": "->", "≥": ">=", "≤": "<="})
"""Replacements for our own characters in limited encodings."""

_AS_EMOJI = "\ufe0f"

_COMMAND = late(r"##(?=(?:vso)?\[)|(?<!\S):(?=:)")

_COUNTS = ("", " k", " M", " B", " T")
_SI = ("", " k", " M", " G", " T", " P")

LEAST_GROWTH = 0.0005
"""Share of growth that is not zero once it is rounded."""


def clean(text: str) -> str:
    """Remove everything that terminals, logs or pages could interpret: control and escape
    characters, line breaks, changes of writing direction, invalid Unicode, workflow commands."""
    if not text.isprintable():
        text = "".join(
            char if char.isprintable() else " " if char.isspace() else "" for char in text
        ).strip()
    return _without_commands(text)


def escaped(text: str, keep: str = "") -> str:
    r"""Show what `clean` removes, as in ``\u202e``; only characters to `keep` stay."""
    if not text.isprintable():
        text = "".join(
            char if char.isprintable() or char in keep else _escape(char) for char in text
        )
    return _without_commands(text)


def _without_commands(text: str) -> str:
    """Break what CI systems execute in the log of a job.

    GitHub: ``##[`` anywhere, ``::`` first in a line; Azure Pipelines: ``##vso[`` anywhere.
    """
    return _COMMAND.sub(r"\g<0> ", text) if "##" in text or "::" in text else text


def _escape(char: str) -> str:
    return " " if char in "\u00a0\u202f" else char.encode("unicode_escape").decode()


@lru_cache(maxsize=1024)
def brief(text: str, ellipsis: str = "…") -> str:
    """Return one clean line with long names shortened."""
    text = clean(" ".join(text.splitlines()))
    if len(text) > LONGEST_WORD:
        text = _LONG_WORD.sub(lambda word: shorten(word[0], LONGEST_WORD, ellipsis), text)
    return shorten(text, LONGEST_TEXT, ellipsis)


def bounded(name: str) -> str:
    """Return the name, or the ends of a very long one with a digest of it."""
    if len(name) <= LONGEST_NAME:
        return name
    import hashlib

    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:16]
    return f"{name[: LONGEST_NAME // 2]}…{name[-LONGEST_NAME // 4 :]}#{digest}"


def encodable(text: str, encoding: str) -> str:
    """Replace characters that the encoding lacks."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        plain = text.translate(_PLAIN).encode(encoding, "backslashreplace")
        return plain.decode(encoding)
    return text


def clean_lines(text: str) -> str:
    """Clean each line of a text."""
    return "\n".join(map(clean, text.splitlines()))


_ODD = late("[^ -~·×…─│╭╰]")
"""Characters that may not be one column wide; those of all lines of a report are."""


def cells(text: str) -> int:
    """Return the width of a text in terminal columns."""
    is_plain = text.isascii() or not _ODD.search(text)
    return len(text) if is_plain else sum(map(_cell, text))


@cache
def _cell(char: str) -> int:
    import unicodedata

    if char == _AS_EMOJI:  # widens the character before it
        return 1
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def shorten(text: str, width: int, ellipsis: str = "…") -> str:
    """Shorten a name in the middle, since names differ at their ends."""
    if cells(text) <= width:
        return text
    kept = max(width - len(ellipsis), 2)
    head, tail = text[: kept // 3], text[-(kept - kept // 3) :]
    while cells(head) + cells(tail) > kept and len(head) + len(tail) > 2:
        head, tail = head[: len(tail) // 2], tail[1:]
    return f"{head}{ellipsis}{tail}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Format a count as in `1 node`, `2 nodes`, `12,345 nodes`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(names: Sequence[str], most: int, quote: str = "") -> str:
    """Return `a, b and c`, or `a, b and 54 more`."""
    shown = [f"{quote}{name}{quote}" for name in names[:most]]
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most:,} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))


def quantity(number: int) -> str:
    """Format a quantity as in `950`, `25.6 M`."""
    return _scaled(number, _COUNTS)


def work(number: float) -> str:
    """Format a number of operations with three digits and SI units: `4.09 G`."""
    return _scaled(number, _SI, digits=3)


def growth(old: float | None, new: float | None) -> str:
    """Return ``+4.2%``; empty where it cannot be said."""
    if not old or new is None:
        return ""
    share = new / old - 1
    return f"{share:+.1%}" if abs(share) >= LEAST_GROWTH else "<0.1%"


def percent(share: float, decimals: int = 1) -> str:
    """Format a share as in `11.3%`; what would be rounded to none or all is `<0.1%` or `>99.9%`."""
    least = 10 ** -(decimals + 2)
    if 0 < share < least:
        return f"<{least:.{decimals}%}"
    if 1 - least < share < 1:
        return f">{1 - least:.{decimals}%}"
    return f"{share:.{decimals}%}"


def timing(seconds: float, micro: str = "µ") -> str:
    """Format a time with three digits: `1.24 ms`, `850 ns`."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), (f"{micro}s", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:,.3g} {unit}" if seconds < 1000 else f"{seconds:,.0f} s"
    return f"{seconds * 1e9:.3g} ns"


def duration(seconds: float) -> str:
    """Format a duration as in `0.34 s`, `1 min 05 s`."""
    if seconds < 100:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def _scaled(number: float, units: tuple[str, ...], digits: int = 2) -> str:
    """Scale a number to a unit, with a limited number of digits after rounding."""
    number = float(number)
    for unit in units:
        if number < 999.5 or unit == units[-1]:
            break
        number /= 1000
    decimals = 0 if unit == units[0] or number >= 99.95 else 1
    if decimals and number < 9.995:
        decimals = digits - 1
    return f"{number:.{decimals}f}{unit}"
