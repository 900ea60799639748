"""Writing of small flatbuffers, for examples that are written as text."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

ALIGNMENT = 16
"""Of vectors of bytes, which may hold numbers of any type."""


class Number(NamedTuple):
    """A number in a table; `code` is that of the struct module."""

    code: str
    value: float


class Numbers(NamedTuple):
    """A vector of numbers."""

    code: str
    values: Sequence[float]


Field: TypeAlias = "Number | Numbers | str | bytes | Sequence[str] | Sequence[Fields] | Fields"
Fields: TypeAlias = Mapping[int, "Field"]
"""The fields of a table by slot."""


def flatbuffer(identifier: bytes, root: Fields) -> bytes:
    """Return a file in which each table precedes the targets of its offsets."""
    out = bytearray(4) + identifier
    _write(out, 0, root)
    return bytes(out)


def _write(out: bytearray, place: int, value: Field) -> None:
    """Append a value, and write the offset to it at a place."""
    if isinstance(value, str):
        start = _vector(out, value.encode(), len(value.encode()), 1)
        out += b"\0"
    elif isinstance(value, bytes):
        start = _vector(out, value, len(value), ALIGNMENT)
    elif isinstance(value, Numbers):
        content = struct.pack(f"<{len(value.values)}{value.code}", *value.values)
        start = _vector(out, content, len(value.values), struct.calcsize(f"<{value.code}"))
    elif isinstance(value, Mapping):
        struct.pack_into("<I", out, place, _table(out, value, place) - place)
        return
    elif not isinstance(value, Number):
        start = _vector(out, bytes(4 * len(value)), len(value), 4)
        elements: Sequence[Field] = value
        for index, each in enumerate(elements):
            _write(out, start + 4 + 4 * index, each)
    else:
        raise TypeError("a number outside of a table")
    struct.pack_into("<I", out, place, start - place)


def _vector(out: bytearray, content: bytes, count: int, alignment: int) -> int:
    """Append a vector whose elements are aligned; return its place."""
    _pad(out, max(alignment, 4), before=4)
    start = len(out)
    out += struct.pack("<I", count) + content
    return start


def _table(out: bytearray, fields: Fields, place: int) -> int:
    """Append a table and what it contains; return its place."""
    sizes = {slot: _size(value) for slot, value in fields.items()}
    length = 4
    distances = [0] * (max(fields, default=-1) + 1)
    for slot in sorted(fields, key=lambda slot: -sizes[slot]):
        length += -length % sizes[slot]
        distances[slot] = length
        length += sizes[slot]
    vtable = struct.pack(f"<{2 + len(distances)}H", 4 + 2 * len(distances), length, *distances)
    _pad(out, 8, before=len(vtable))
    out += vtable
    start = len(out)
    out += struct.pack("<i", len(vtable)) + bytes(length - 4)
    for slot, value in fields.items():
        if isinstance(value, Number):
            struct.pack_into(f"<{value.code}", out, start + distances[slot], value.value)
    for slot, value in fields.items():
        if not isinstance(value, Number):
            _write(out, start + distances[slot], value)
    return start


def _size(value: Field) -> int:
    return struct.calcsize(f"<{value.code}") if isinstance(value, Number) else 4


def _pad(out: bytearray, alignment: int, before: int) -> None:
    """Append zeros, so that data after `before` more bytes is aligned."""
    out += bytes(-(len(out) + before) % alignment)
