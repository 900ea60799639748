"""Protobuf changed without its schema: fields move between messages of any kind and of other files.

The grammar's own mutants put everything where its type belongs; here, a graph may become a name.
"""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

from modellint.formats.protobuf import write_varint
from tests.fuzz import networks, seeds, values
from tests.fuzz.tree import FIXED32, FIXED64, LENGTH, VARINT, read_varint, write

FROZEN = Path(__file__).parents[1] / "data" / "tensorflow" / "network.pb"
DEEPEST, LARGEST = 12, 1 << 19
_SIZES = {FIXED64: 8, FIXED32: 4}
Part = list[object]
"""A field: number, wire type and content, which for a message is a list of its fields."""


def spliced(chance: random.Random) -> tuple[str, bytes]:
    suffix, data = chance.choice((_tensorflow, _coreml, _onnx))(chance)
    return suffix, changed(data, chance)


def changed(data: bytes, chance: random.Random) -> bytes:
    """Change a message, and put parts of another in it."""
    other = chance.choice((_tensorflow, _coreml, _onnx))(chance)[1]
    whole, donor = _parsed(data), _parsed(other)
    if whole is None:
        return data
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        messages = _messages(whole)
        _change(chance.choice(messages), messages, _messages(donor or whole), chance)
        if sum(map(len, messages)) > LARGEST >> 3:
            break
    return _written(whole)[:LARGEST]


@cache
def _frozen() -> bytes:
    return FROZEN.read_bytes()


def _tensorflow(_: random.Random) -> tuple[str, bytes]:
    return ".pb", _frozen()


def _coreml(chance: random.Random) -> tuple[str, bytes]:
    return networks.coreml(chance)


def _onnx(chance: random.Random) -> tuple[str, bytes]:
    return ".onnx", write(seeds.seed(chance))


def _parsed(data: bytes, depth: int = 0) -> list[Part] | None:
    """Return the fields of what may be a message; None if it cannot be one."""
    parts: list[Part] = []
    at = 0
    try:
        while at < len(data):
            tag, at = read_varint(data, at)
            number, wire = tag >> 3, tag & 7
            if not number or wire not in (VARINT, LENGTH, *_SIZES):
                return None
            size, at = (_SIZES[wire], at) if wire in _SIZES else read_varint(data, at)
            content: object = size
            if wire != VARINT:
                content = data[at : at + size]
                at += size
                if at > len(data):
                    return None
                inner = _parsed(data[at - size : at], depth + 1) if wire == LENGTH else None
                content = inner if inner and depth < DEEPEST else content
            parts.append([number, wire, content])
    except IndexError:
        return None
    return parts


def _messages(parts: list[Part]) -> list[list[Part]]:
    found, waiting = [], [parts]
    while waiting:
        each = waiting.pop()
        found.append(each)
        waiting += [part[2] for part in each if isinstance(part[2], list)]
    return found


def _change(
    message: list[Part],
    own: list[list[Part]],
    others: list[list[Part]],
    chance: random.Random,
) -> None:
    if not message:
        return
    at, kind = chance.randrange(len(message)), chance.randrange(8)
    donors = [each for each in (own if chance.random() < 0.5 else others) if each]
    given = chance.choice(chance.choice(donors))
    copy = _parsed(_written([given])) or [given]
    if kind == 0:
        del message[at]
    elif kind == 1:
        message.insert(at, message[chance.randrange(len(message))][:])
    elif kind == 2:
        message[at] = [message[at][0], *copy[0][1:]]
    elif kind == 3:
        message.insert(at, copy[0])
    elif kind == 4:
        message[at] = [message[at][0], VARINT, values.number(chance)]
    elif kind == 5:
        message[at] = [message[at][0], LENGTH, values.name(chance)[:4096]]
    elif kind == 6:
        _agree(own, message[at], chance)
    else:
        chance.shuffle(message)


def _agree(messages: list[list[Part]], told: Part, chance: random.Random) -> None:
    """Let what a field says be something else wherever it is said: lies that agree."""
    number, wire, truth = told
    if wire not in (VARINT, LENGTH) or isinstance(truth, list):
        return
    lie = values.number(chance) if wire == VARINT else values.name(chance)[:256]
    for message in messages:
        for each in message:
            if each[:2] == [number, wire] and each[2] == truth:
                each[2] = lie


def _written(parts: list[Part]) -> bytes:
    content = bytearray()
    for number, wire, value in parts:
        assert isinstance(number, int)
        assert isinstance(wire, int)
        content += write_varint(number << 3 | wire)
        if isinstance(value, int):
            content += write_varint(value % (1 << 64))
            continue
        body = _written(value) if isinstance(value, list) else value
        assert isinstance(body, bytes)
        if wire == LENGTH:
            content += write_varint(len(body))
        content += body
    return bytes(content)
