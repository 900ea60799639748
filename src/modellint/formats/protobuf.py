"""Reading of protobuf messages at wire level: fields stay in the file until requested."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field as member
from io import RawIOBase
from pathlib import Path
from typing import NamedTuple, overload

from modellint.base.files import open_regular
from modellint.base.records import dataclass
from modellint.formats.problems import MalformedError
from modellint.formats.source import read_exactly

READ_WHOLE = 8 << 20
"""Maximum size of a file that is read as a whole."""
DEEPEST = 100
"""Protobuf's own limit on nested messages."""
MOST_FIELDS = 1 << 22
"""Maximum number of fields to look at in one file."""
LONGEST_TEXT = 1 << 20
SHORT_ENTRY, MOST_SHORT = 128, 1 << 14
"""Bytes of a map's entry that is read once although it occurs again, and their maximum number."""

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
WINDOW = 1 << 14


class FileWindow:
    """A large file that is indexed like bytes, with little of it in memory.

    Mapping it would be simpler, but the kernel maps whole huge pages around every touch.
    """

    def __init__(self, file: RawIOBase, size: int) -> None:
        self.file = file
        self._size = size
        self._start = 0
        self._window = b""

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> bytes: ...
    def __getitem__(self, place: int | slice) -> int | bytes:
        if isinstance(place, slice):
            at, length = place.start - self._start, place.stop - place.start
            if not 0 <= at <= len(self._window) - length:
                if length > WINDOW:
                    return read_exactly(self.file, place.start, length)
                self._window = read_exactly(
                    self.file, place.start, max(min(WINDOW, self._size - place.start), length)
                )
                self._start, at = place.start, 0
            return self._window[at : at + length]
        at = place - self._start
        if not 0 <= at < len(self._window):
            self._window = read_exactly(self.file, place, min(WINDOW, self._size - place))
            self._start, at = place, 0
        return self._window[at]


class Excerpt:
    """A few bytes of a large file that stay in memory, under the places that they have in it."""

    def __init__(self, content: bytes, start: int) -> None:
        self._content = content
        self._start = start

    def __len__(self) -> int:
        """Return the place of its end, as if the file had no more."""
        return self._start + len(self._content)

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> bytes: ...
    def __getitem__(self, place: int | slice) -> int | bytes:
        if isinstance(place, slice):
            return self._content[place.start - self._start : place.stop - self._start]
        return self._content[place - self._start]


Buffer = bytes | FileWindow | Excerpt


def read_varint(data: Buffer, position: int, end: int, base: int = 0) -> tuple[int, int]:
    """Return the number at `position` and the position after it.

    `base` is where the data begins in the file, for what errors say.
    """
    result = shift = 0
    while position < end and shift < 70:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7
    place = base + position
    raise MalformedError("corrupt", f"a number that does not end at byte {place}", offset=place)


def write_varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def signed(number: int) -> int:
    """Return a varint as the signed integer of 64 bits that it stands for."""
    number &= (1 << 64) - 1
    return number - (1 << 64) if number >= 1 << 63 else number


@dataclass(slots=True)
class FieldBudget:
    """Number of fields that may still be looked at, and short entries of maps that were."""

    fields: int = MOST_FIELDS
    short: dict[bytes, tuple[str, Message]] = member(default_factory=dict)

    def take(self, fields: int) -> None:
        self.fields -= fields
        if self.fields < 0:
            raise MalformedError("corrupt", f"more than {MOST_FIELDS} fields")


class FieldSpan(NamedTuple):
    """Place of a field's content in the file."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        return self.offset + self.length


class Message:
    """A message in a buffer. Its fields are located on first access, and no others."""

    __slots__ = ("_budget", "_depth", "_fields", "data", "span")

    def __init__(
        self, data: Buffer, span: FieldSpan, depth: int = 0, budget: FieldBudget | None = None
    ) -> None:
        if depth > DEEPEST:
            raise MalformedError("too-deep", f"more than {DEEPEST} nested messages", limit=DEEPEST)
        self.data = data
        self.span = span
        self._depth = depth
        self._budget = budget if budget is not None else FieldBudget()
        self._fields: dict[int, list[int | FieldSpan]] | None = None

    @property
    def fields(self) -> dict[int, list[int | FieldSpan]]:
        """Return the numbers and spans of all fields by their number in the schema."""
        if self._fields is None:
            self._fields = self._locate()
        return self._fields

    def _locate(self) -> dict[int, list[int | FieldSpan]]:
        found: dict[int, list[int | FieldSpan]] = {}
        budget = self._budget
        data, position, end, base = self.data, self.span.offset, self.span.end, 0
        if isinstance(data, FileWindow) and self.span.length <= WINDOW:
            data, position, end, base = data[position:end], 0, self.span.length, position
        while position < end:
            budget.fields -= 1
            if budget.fields < 0:
                budget.take(0)
            begin = position
            tag = data[position]
            if tag < 0x80:  # as nearly always
                position += 1
            else:
                tag, position = read_varint(data, position, end, base)
            wire = tag & 7
            content: int | FieldSpan
            if wire == VARINT:
                content, position = read_varint(data, position, end, base)
            elif wire == LENGTH:
                length = data[position] if position < end else 0x80
                if length < 0x80:
                    position += 1
                else:
                    length, position = read_varint(data, position, end, base)
                content = FieldSpan(base + position, length)
                position += length
            elif wire in _FIXED:
                content = FieldSpan(base + position, _FIXED[wire])
                position += _FIXED[wire]
            else:
                detail = f"unknown wire type {wire} at byte {base + begin}"
                raise MalformedError("corrupt", detail, offset=base + begin)
            if position > end:
                raise self._overrun(base + position)
            found.setdefault(tag >> 3, []).append(content)
        return found

    def _overrun(self, position: int) -> MalformedError:
        end = self.span.end
        if self._depth == 0:
            detail = f"it ends at byte {end}, but its content needs at least {position}"
            return MalformedError("truncated", detail, expected=position, size=end)
        return MalformedError(
            "corrupt", f"a field is declared {position - end} bytes too long", offset=end
        )

    def charge(self, fields: int) -> None:
        """Count work on the message as that many fields, against the same limit."""
        self._budget.take(fields)

    def __contains__(self, field: int) -> bool:
        return field in self.fields

    def spans(self, field: int) -> list[FieldSpan]:
        """Return the places of a field's contents, without those of another wire type."""
        return [each for each in self.fields.get(field, ()) if isinstance(each, FieldSpan)]

    def span_of(self, field: int) -> FieldSpan | None:
        for each in reversed(self.fields.get(field, ())):
            if isinstance(each, FieldSpan):
                return each
        return None

    def messages(self, field: int) -> list[Message]:
        return [self._nested(span) for span in self.spans(field)]

    def message(self, field: int) -> Message | None:
        span = self.span_of(field)
        return self._nested(span) if span is not None else None

    def _nested(self, span: FieldSpan) -> Message:
        return Message(self.data, span, self._depth + 1, self._budget)

    def integer(self, field: int, default: int = 0) -> int:
        """Return a number of at most 64 bits; the last one counts."""
        for each in reversed(self.fields.get(field, ())):
            if isinstance(each, int):
                return signed(each)
        return default

    def integers(self, field: int) -> Iterator[int]:
        """Iterate over the numbers of a repeated field, packed or not."""
        for each in self.fields.get(field, ()):
            if isinstance(each, int):
                yield signed(each)
                continue
            position = each.offset
            while position < each.end:
                number, position = read_varint(self.data, position, each.end)
                yield signed(number)

    def floats(self, field: int, code: str = "f") -> Iterator[float]:
        """Iterate over the numbers of a repeated field of floats, packed or not."""
        size = struct.calcsize(f"<{code}")
        for span in self.spans(field):
            if span.length % size:
                raise MalformedError("corrupt", "half a number", offset=span.offset)
            raw = self.data[span.offset : span.end]
            yield from (number for (number,) in struct.iter_unpack(f"<{code}", raw))

    def raw(self, field: int) -> bytes:
        span = self.span_of(field)
        return self.data[span.offset : span.end] if span is not None else b""

    def text(self, field: int) -> str:
        """Return a text; empty if it is missing or implausibly long."""
        span = self.span_of(field)
        if span is None or span.length > LONGEST_TEXT:
            return ""
        return self.data[span.offset : span.end].decode(errors="replace")

    def texts(self, field: int) -> list[str]:
        """Return texts, leaving out implausibly long ones."""
        spans = [span for span in self.spans(field) if span.length <= LONGEST_TEXT]
        return [self.data[span.offset : span.end].decode(errors="replace") for span in spans]

    def entries(self, field: int) -> Iterator[tuple[str, Message]]:
        """Iterate over a map's keys and the messages under them."""
        for entry in self.messages(field):
            value = entry.message(2)
            if value is not None:
                yield entry.text(1), value

    def shared_entries(self, field: int, apart: int) -> Iterator[tuple[str, Message]]:
        """Like `entries`, but short ones of the same bytes are read once.

        Values with the field `apart` are not shared: their place in the file matters.
        """
        known = self._budget.short
        for span in self.spans(field):
            content = self.data[span.offset : span.end] if span.length <= SHORT_ENTRY else b""
            found = known.get(content)
            if found is None:
                data = Excerpt(content, span.offset) if content else self.data
                entry = Message(data, span, self._depth + 1, self._budget)
                value = entry.message(2)
                if value is None:
                    continue
                found = entry.text(1), value
                if content and len(known) < MOST_SHORT and apart not in value:
                    known[content] = found
            yield found


@contextmanager
def message_of(path: Path) -> Iterator[Message]:
    """Open a file that is a message. Raises OSError."""
    with open_regular(path) as file:
        size = path.stat().st_size
        data = (file.read(size) or b"") if size <= READ_WHOLE else FileWindow(file, size)
        yield Message(data, FieldSpan(0, len(data)))


_FIXED = {FIXED64: 8, FIXED32: 4}
