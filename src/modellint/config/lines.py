"""Line numbers of keys in TOML text, which the standard library's parser does not keep."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]")
_ASSIGNMENT = re.compile(rf"\s*({_DOTTED})\s*=")
_IN_LINE = re.compile(rf"(?:^|[{{,])\s*({_DOTTED})\s*=")

Path = tuple[str | int, ...]


def find_line(text: str, keys: Sequence[str | int]) -> int | None:
    """Return the line of the key path, or of its deepest prefix that appears on a line."""
    wanted = tuple(keys)
    best, depth = None, 0
    for line, path in _lines(text):
        common = _common(path, wanted)
        if common == len(path) and common > depth:
            best, depth = line, common
    return best


def _common(path: Path, wanted: Path) -> int:
    count = 0
    for mine, theirs in zip(path, wanted, strict=False):
        if mine != theirs:
            break
        count += 1
    return count


def _lines(text: str) -> Iterator[tuple[int, Path]]:
    """Iterate over the key paths that start on each line of the text."""
    table: Path = ()
    entries: Counter[Path] = Counter()
    in_value: Path | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _split(header[2])
            if header[1] == "[[":
                entries[table] += 1
                table = (*table, entries[table] - 1)
            in_value = None
            yield number, table
        elif assignment := _ASSIGNMENT.match(line):
            base = in_value if in_value is not None else table
            path = (*base, *_split(assignment[1]))
            yield number, path
            rest = line[assignment.end() :]
            for inner in _IN_LINE.finditer(rest):
                yield number, (*path, *_split(inner[1]))
            if in_value is None and rest.count("{") > rest.count("}"):
                in_value = path
        elif in_value is not None:
            for inner in _IN_LINE.finditer(line):
                yield number, (*in_value, *_split(inner[1]))
            if line.strip().startswith("}"):
                in_value = None


def _split(dotted: str) -> Path:
    return tuple(part.strip("\"'") for part in re.findall(_KEY, dotted))
