"""A protobuf message that can be changed field by field; the rest keeps its bytes and order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from modellint.formats.problems import MalformedError
from modellint.formats.protobuf import (
    FIXED32,
    FIXED64,
    LENGTH,
    VARINT,
    Buffer,
    read_varint,
    write_varint,
)

_FIXED = {FIXED32: 4, FIXED64: 8}


class Copied(NamedTuple):
    """Bytes to take over from a buffer, usually the original file."""

    data: Buffer
    offset: int
    length: int

    def is_before(self, other: Copied) -> bool:
        return self.data is other.data and self.offset + self.length == other.offset


class Computed(NamedTuple):
    """Bytes of a known length that are computed when they are written."""

    length: int
    compute: Callable[[], bytes]


Piece = bytes | Copied | Computed


def length_of(pieces: Iterable[Piece]) -> int:
    return sum(len(each) if isinstance(each, bytes) else each.length for each in pieces)


class Field:
    """A field of a message: as it was, opened, new, or dropped."""

    __slots__ = ("body", "data", "end", "is_dropped", "message", "new", "number", "start", "wire")

    def __init__(
        self, number: int, wire: int, data: Buffer, start: int, body: int, end: int
    ) -> None:
        self.number = number
        self.wire = wire
        self.data = data
        self.start = start
        self.body = body
        self.end = end
        self.message: EditedMessage | None = None
        self.new: tuple[Piece, ...] | None = None
        """Its whole content, tag and length included, if it is new."""
        self.is_dropped = False

    @property
    def content(self) -> bytes:
        """Return its old content, without tag and length."""
        return self.data[self.body : self.end]

    @property
    def is_changed(self) -> bool:
        return (
            self.is_dropped
            or self.new is not None
            or (self.message is not None and self.message.is_changed)
        )

    def open(self) -> EditedMessage:
        """Return the message that it holds, to be changed."""
        if self.message is None:
            self.message = EditedMessage(self.data, self.body, self.end)
        return self.message

    def hold(self, content: bytes) -> None:
        """Give it other content."""
        head = write_varint(self.number << 3 | LENGTH) + write_varint(len(content))
        self.data, self.body, self.end = content, 0, len(content)
        self.new, self.message = (head, content), None

    def pieces(self) -> Iterator[Piece]:
        if self.is_dropped:
            return
        if self.message is not None and self.message.is_changed:
            content = list(self.message.pieces())
            yield write_varint(self.number << 3 | LENGTH) + write_varint(length_of(content))
            yield from content
        elif self.new is not None:
            yield from self.new
        else:
            yield Copied(self.data, self.start, self.end - self.start)


def new_field(number: int, *content: Piece) -> Field:
    """Return a field that holds a text or a message."""
    field = Field(number, LENGTH, b"", 0, 0, 0)
    if all(isinstance(each, bytes) for each in content):
        field.hold(b"".join(each for each in content if isinstance(each, bytes)))
    else:
        head = write_varint(number << 3 | LENGTH) + write_varint(length_of(content))
        field.new = (head, *content)
    return field


def new_number(number: int, value: int) -> Field:
    """Return a field that holds an integer."""
    encoded = write_varint(number << 3 | VARINT) + write_varint(value & (1 << 64) - 1)
    field = Field(number, VARINT, encoded, 0, 1, len(encoded))
    field.new = (encoded,)
    return field


class EditedMessage:
    """The fields of a message in file order, located on first access."""

    __slots__ = ("_end", "_fields", "_start", "data", "is_rebuilt")

    def __init__(self, data: Buffer, start: int, end: int) -> None:
        self.data = data
        self._start = start
        self._end = end
        self._fields: list[Field] | None = None
        self.is_rebuilt = False
        """True once its fields are others than in the file."""

    @property
    def fields(self) -> list[Field]:
        if self._fields is None:
            self._fields = list(self._located())
        return self._fields

    @fields.setter
    def fields(self, fields: list[Field]) -> None:
        self._fields = fields
        self.is_rebuilt = True

    def _located(self) -> Iterator[Field]:
        data, position, end = self.data, self._start, self._end
        while position < end:
            start = position
            tag, position = read_varint(data, position, end)
            number, wire = tag >> 3, tag & 7
            body = position
            if wire == VARINT:
                _, position = read_varint(data, position, end)
            elif wire == LENGTH:
                length, body = read_varint(data, position, end)
                position = body + length
            elif wire in _FIXED:
                position += _FIXED[wire]
            else:
                raise MalformedError("corrupt", f"unknown wire type {wire}", offset=start)
            if position > end:
                raise MalformedError("corrupt", "a field is longer than its message", offset=end)
            yield Field(number, wire, data, start, body, position)

    @property
    def is_changed(self) -> bool:
        return self.is_rebuilt or any(field.is_changed for field in self._fields or ())

    def all(self, number: int) -> list[Field]:
        return [each for each in self.fields if each.number == number and not each.is_dropped]

    def text(self, number: int) -> str | None:
        """Return a text; the last one counts."""
        found = self.all(number)
        return found[-1].content.decode(errors="replace") if found else None

    def set(self, number: int, fields: Iterable[Field]) -> None:
        """Replace all fields of a number, where the first was, or where the number belongs."""
        old = self.all(number)
        if old:
            self.insert(old[0], fields)
            for each in old:
                each.is_dropped = True
        else:
            self.add(*fields)

    def set_text(self, number: int, text: str) -> None:
        self.set(number, [new_field(number, text.encode())] if text else [])

    def insert(self, before: Field, fields: Iterable[Field]) -> None:
        place = next(at for at, each in enumerate(self.fields) if each is before)
        self.fields = [*self.fields[:place], *fields, *self.fields[place:]]

    def add(self, *fields: Field) -> None:
        """Add fields of one number after the others of that number, or where it belongs."""
        if fields:
            place = self._place_of(fields[0].number)
            self.fields = [*self.fields[:place], *fields, *self.fields[place:]]

    def _place_of(self, number: int) -> int:
        """Return the place after the last field of a number that is not higher."""
        places = [at for at, each in enumerate(self.fields) if each.number == number]
        if not places:
            places = [at for at, each in enumerate(self.fields) if each.number < number]
        return places[-1] + 1 if places else 0

    def pieces(self) -> Iterator[Piece]:
        if not self.is_changed:
            yield Copied(self.data, self._start, self._end - self._start)
            return
        for field in self.fields:
            yield from field.pieces()

    def encoded(self) -> bytes:
        """Return all of its bytes."""
        return b"".join(map(bytes_of, self.pieces()))


def bytes_of(piece: Piece) -> bytes:
    if isinstance(piece, bytes):
        return piece
    if isinstance(piece, Copied):
        return piece.data[piece.offset : piece.offset + piece.length]
    return piece.compute()


def merged(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Join ranges that follow each other in the same buffer."""
    last: Piece = b""
    for piece in pieces:
        if isinstance(piece, Copied) and isinstance(last, Copied) and last.is_before(piece):
            last = Copied(last.data, last.offset, last.length + piece.length)
        else:
            yield last
            last = piece
    yield last
