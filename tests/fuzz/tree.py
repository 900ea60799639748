"""Protobuf messages as trees that, unlike the library's objects, can hold any nonsense."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import onnx

from tests.formats.wire import varint

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_WIRES = {
    1: FIXED64,
    2: FIXED32,
    3: VARINT,
    4: VARINT,
    5: VARINT,
    8: VARINT,
    13: VARINT,
    14: VARINT,
}
"""By the type of a field in its descriptor; all others are written with their length."""
STRING, MESSAGE, BYTES = 9, 11, 12


@dataclass(slots=True)
class Message:
    """A message: its fields in the order of the file."""

    kind: Any
    """Its descriptor."""
    fields: list[Field] = field(default_factory=list)

    def all(self, name: str) -> list[Field]:
        number = self.kind.fields_by_name[name].number
        return [each for each in self.fields if each.number == number]

    def add(self, name: str, value: int | bytes | Message) -> Field:
        own = self.kind.fields_by_name[name]
        added = Field(own.number, wire_of(own), value)
        self.fields.append(added)
        return added

    def set(self, name: str, *values: int | bytes | Message) -> None:
        self.drop(name)
        for value in values:
            self.add(name, value)

    def drop(self, name: str) -> None:
        number = self.kind.fields_by_name[name].number
        self.fields = [each for each in self.fields if each.number != number]

    def children(self, name: str) -> list[Message]:
        return [each.value for each in self.all(name) if isinstance(each.value, Message)]

    def text(self, name: str) -> bytes:
        values = [each.value for each in self.all(name) if isinstance(each.value, bytes)]
        return values[-1] if values else b""

    def number(self, name: str) -> int:
        values = [each.value for each in self.all(name) if isinstance(each.value, int)]
        return values[-1] if values else 0

    def walk(self) -> list[Message]:
        """This message and all inside, each before those within it."""
        found = [self]
        for message in found:
            found += [each.value for each in message.fields if type(each.value) is Message]
        return found

    def of(self, kind: str) -> list[Message]:
        return [each for each in self.walk() if each.kind.name == kind]


@dataclass(slots=True)
class Field:
    number: int
    wire: int
    value: int | bytes | Message


def kind_of(name: str) -> Any:
    return getattr(onnx, name).DESCRIPTOR


def wire_of(own: Any) -> int:
    return _WIRES.get(own.type, LENGTH)


def parse(data: bytes, kind: Any) -> Message:
    """Parse a well-formed message."""
    message = Message(kind)
    position = 0
    while position < len(data):
        tag, position = read_varint(data, position)
        number, wire = tag >> 3, tag & 7
        value: int | bytes | Message
        if wire == VARINT:
            value, position = read_varint(data, position)
        else:
            size = {FIXED64: 8, FIXED32: 4}.get(wire)
            if size is None:
                size, position = read_varint(data, position)
            value = data[position : position + size]
            position += size
        own = kind.fields_by_number.get(number)
        if own is not None and own.type == MESSAGE and isinstance(value, bytes):
            value = parse(value, own.message_type)
        message.fields.append(Field(number, wire, value))
    return message


def write(message: Message) -> bytes:
    """Serialize without recursion, since nesting can be deep; nothing is copied at each level."""
    sizes: dict[int, int] = {}
    for each in reversed(message.walk()):
        sizes[id(each)] = sum(_size(item, sizes) for item in each.fields)
    content = bytearray()
    waiting = [iter(message.fields)]
    while waiting:
        item = next(waiting[-1], None)
        if item is None:
            waiting.pop()
            continue
        value = item.value
        content += _varint(item.number << 3 | item.wire)
        if isinstance(value, int):
            content += _varint(value & (1 << 64) - 1)
            continue
        if item.wire == LENGTH:
            content += _varint(sizes[id(value)] if isinstance(value, Message) else len(value))
        if isinstance(value, Message):
            waiting.append(iter(value.fields))
        else:
            content += value
    return bytes(content)


def _size(item: Field, sizes: Mapping[int, int]) -> int:
    """Return the size of a field, given those of the messages inside."""
    value, tag = item.value, len(_varint(item.number << 3 | item.wire))
    if isinstance(value, int):
        return tag + len(_varint(value & (1 << 64) - 1))
    size = sizes[id(value)] if isinstance(value, Message) else len(value)
    return tag + size + (len(_varint(size)) if item.wire == LENGTH else 0)


_SHORT = tuple(map(varint, range(1 << 12)))


def _varint(number: int) -> bytes:
    return _SHORT[number] if number < len(_SHORT) else varint(number)


def copied(message: Message) -> Message:
    """A deep copy, in which nothing is shared."""
    twin = Message(message.kind)
    waiting = [(message, twin)]
    while waiting:
        old, new = waiting.pop()
        for item in old.fields:
            value = item.value
            if isinstance(value, Message):
                inner = Message(value.kind)
                waiting.append((value, inner))
                value = inner
            new.fields.append(Field(item.number, item.wire, value))
    return twin


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, position
