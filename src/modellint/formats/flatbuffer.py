"""Reading of flatbuffers, of which every offset may be wrong.

A flatbuffer is a tree of tables. A table starts with the distance to its vtable, which says where
each field lies, or that it is absent. Nothing in a file keeps two fields from sharing one table,
or a table from containing itself, so what is read is counted: see `Flatbuffer.charge`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from modellint.formats.problems import MalformedError
from modellint.formats.source import Source

PAGE = 1 << 12
MOST_PAGES = 1 << 12
"""Pages that are kept. Tables, and their vtables, lie between the weights, far from each other."""
MOST_READ = 1 << 26
LEAST_READ = 1 << 13
TIMES = 8
"""Bytes that may be read of tables and vectors: so many times the file's size, within limits. A
file where nothing is shared needs less than its size."""
TABLE = 64
"""Bytes that each visit of a table counts for: as much time as to read so many."""
LONGEST_VTABLE = 1 << 10


class Span(NamedTuple):
    """Place of bytes in the file."""

    offset: int
    length: int


class Flatbuffer:
    """A file that is a flatbuffer, from its root table down."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._pages: dict[int, bytes] = {}
        self._vtables: dict[int, tuple[int, ...]] = {}
        self._left = min(max(TIMES * source.size, LEAST_READ), MOST_READ)

    def root(self) -> FlatTable:
        return self.table_at(0)

    def charge(self, length: int) -> None:
        """Count reads, so that reading a file takes no longer than its size justifies."""
        self._left -= length
        if self._left < 0:
            raise MalformedError(
                "corrupt", "it has more tables and lists than a file of its size can contain"
            )

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes from pages that are kept."""
        first, at = divmod(offset, PAGE)
        if offset >= 0 and at + length <= PAGE:
            page = self._page(first)
            if at + length <= len(page):
                return page[at : at + length]
        return self.source.read(offset, length, "a part of the flatbuffer")

    def _page(self, index: int) -> bytes:
        page = self._pages.get(index)
        if page is None:
            start = index * PAGE
            if start >= self.source.size:
                return b""
            if len(self._pages) >= MOST_PAGES:
                self._pages.clear()
            page = self.source.read(start, min(PAGE, self.source.size - start))
            self._pages[index] = page
        return page

    def number(self, offset: int, code: str) -> int:
        layout = _LAYOUTS[code]
        number: int = layout.unpack(self.read(offset, layout.size))[0]
        return number

    def table_at(self, place: int) -> FlatTable:
        """Return the table that the offset at a place leads to."""
        return self._table(place + self.number(place, "I"))

    def _table(self, position: int) -> FlatTable:
        self.charge(TABLE)
        vtable = position - self.number(position, "i")
        slots = self._vtables.get(vtable)
        if slots is None:
            slots = self._vtables[vtable] = self._read_vtable(vtable)
        return FlatTable(self, position, slots)

    def _read_vtable(self, place: int) -> tuple[int, ...]:
        length = self.number(place, "H")
        if length % 2 or length > LONGEST_VTABLE:
            raise MalformedError("corrupt", "a table without a valid vtable", offset=place)
        if length < 4:
            return ()
        self.charge(length)
        found: tuple[int, ...] = struct.unpack(f"<{length // 2 - 2}H", self.read(place, length)[4:])
        return found

    def span_at(self, place: int, size: int) -> Span:
        """Return the elements of the vector that the offset at a place leads to."""
        start = place + self.number(place, "I")
        count = self.number(start, "I")
        self.source.require(start + 4, count * size, "a vector")
        return Span(start + 4, count * size)

    def bytes_at(self, place: int, size: int = 1) -> bytes:
        span = self.span_at(place, size)
        self.charge(span.length + 4)
        return self.read(*span)


class FlatTable:
    """One table: its fields by slot, the number of their line in the schema."""

    __slots__ = ("buffer", "position", "slots")

    def __init__(self, buffer: Flatbuffer, position: int, slots: tuple[int, ...]) -> None:
        self.buffer = buffer
        self.position = position
        self.slots = slots

    def place(self, slot: int) -> int | None:
        """Return where a field lies; None if it has its default."""
        distance = self.slots[slot] if slot < len(self.slots) else 0
        return self.position + distance if distance else None

    def number(self, slot: int, code: str, default: int = 0) -> int:
        """Return an integer; `code` is that of the struct module."""
        place = self.place(slot)
        return default if place is None else self.buffer.number(place, code)

    def real(self, slot: int, code: str = "f", default: float = 0.0) -> float:
        place = self.place(slot)
        return default if place is None else float(self.buffer.number(place, code))

    def text(self, slot: int) -> str:
        """Return a string; empty if absent."""
        return self.content(slot).decode(errors="replace")

    def content(self, slot: int) -> bytes:
        """Return a string that may be no text."""
        place = self.place(slot)
        return b"" if place is None else self.buffer.bytes_at(place)

    def texts(self, slot: int) -> list[str]:
        return [self.buffer.bytes_at(each).decode(errors="replace") for each in self._places(slot)]

    def table(self, slot: int) -> FlatTable | None:
        place = self.place(slot)
        return None if place is None else self.buffer.table_at(place)

    def tables(self, slot: int) -> Iterator[FlatTable]:
        """Iterate over a vector of tables."""
        return map(self.buffer.table_at, self._places(slot))

    def numbers(self, slot: int, code: str) -> tuple[int, ...]:
        """Return a vector of integers."""
        return self._unpacked(slot, code)

    def reals(self, slot: int, code: str = "f") -> tuple[float, ...]:
        return self._unpacked(slot, code)

    def _unpacked(self, slot: int, code: str) -> tuple[int, ...]:
        place = self.place(slot)
        if place is None:
            return ()
        content = self.buffer.bytes_at(place, _LAYOUTS[code].size)
        return struct.unpack(f"<{len(content) // _LAYOUTS[code].size}{code}", content)

    def span(self, slot: int, size: int = 1) -> Span | None:
        """Return the place of a vector's elements, unread; None if absent."""
        place = self.place(slot)
        return None if place is None else self.buffer.span_at(place, size)

    def _places(self, slot: int) -> range:
        """Return the places of the offsets in a vector."""
        span = self.span(slot, 4)
        if span is None:
            return range(0)
        self.buffer.charge(span.length + 4)
        return range(span.offset, span.offset + span.length, 4)


_LAYOUTS = {code: struct.Struct(f"<{code}") for code in "?bBhHiIqQfd"}
