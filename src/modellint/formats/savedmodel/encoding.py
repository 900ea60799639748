"""Encoding that TensorFlow's parser demands of a whole file: it refuses one for a single
text that is not UTF-8, even in a part that nothing here reads.

`messages.json` states the texts and messages in each message as TensorFlow declares them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from modellint.formats.problems import MalformedError
from modellint.formats.protobuf import (
    FIXED32,
    FIXED64,
    LENGTH,
    LONGEST_TEXT,
    VARINT,
    WINDOW,
    Buffer,
    FieldSpan,
    FileWindow,
    Message,
    read_varint,
)

MOST_CHECKED = 1 << 18
"""Fields that are looked at, about 0.2 s; a larger graph is checked as far as that."""
_PAGE = 1 << 12
"""Bytes of a text that take about as long as a field."""
_SHORT, _MOST_KNOWN = 64, 1 << 14
"""Bytes of a message that is not checked again where it recurs, and how many are remembered."""
_DEEPEST = 100
_TEXT = ""
_FIXED = {FIXED64: 8, FIXED32: 4}
_Declared = Mapping[int, str]


@cache
def _messages() -> Mapping[str, _Declared]:
    record = json.loads(Path(__file__).with_name("messages.json").read_bytes())
    return {
        name: {int(number): kind for number, kind in fields.items()}
        for name, fields in record["messages"].items()
    }


def check_encoding(message: Message, kind: str) -> None:
    """Raise MalformedError for what TensorFlow does not parse as a message of that kind."""
    _Encoding().check(message.data, message.span, kind)


class _Encoding:
    def __init__(self) -> None:
        self._left = MOST_CHECKED
        self._known: set[tuple[str, bytes]] = set()

    def check(
        self, data: Buffer, span: FieldSpan, kind: str, base: int = 0, depth: int = 0
    ) -> None:
        """Check a message at a place in the data, which begin at `base` in the file."""
        position, end = span.offset, span.end
        if isinstance(data, FileWindow) and span.length <= WINDOW:
            data, base = data[position:end], position
            position, end = 0, span.length
        declared = _messages()[kind]
        while position < end and self._left > 0:
            self._left -= 1
            begin = position
            tag, position = read_varint(data, position, end, base)
            wire, field = tag & 7, tag >> 3
            if wire == LENGTH:
                length, position = read_varint(data, position, end, base)
            elif wire == VARINT:
                _, position = read_varint(data, position, end, base)
                length = 0
            else:
                length = _FIXED.get(wire, 0)
            if not field or (wire != VARINT and wire != LENGTH and not length):
                raise _damaged(f"a field of no kind at byte {base + begin}", base + begin)
            if position + length > end:
                raise _damaged(f"a field of {length} bytes at byte {base + begin}", base + begin)
            inner = declared.get(field) if wire == LENGTH else None
            if inner == _TEXT:
                self._left -= length // _PAGE
                if length <= LONGEST_TEXT:
                    _check_text(data[position : position + length], base + position)
            elif inner is not None:
                self._check_nested(data, FieldSpan(position, length), inner, base, depth + 1)
            position += length

    def _check_nested(
        self, data: Buffer, span: FieldSpan, kind: str, base: int, depth: int
    ) -> None:
        if depth > _DEEPEST:
            raise MalformedError(
                "too-deep", f"more than {_DEEPEST} nested messages", limit=_DEEPEST
            )
        if span.length > _SHORT:
            self.check(data, span, kind, base, depth)
            return
        known = kind, data[span.offset : span.end]
        if known not in self._known:
            self.check(data, span, kind, base, depth)
            if len(self._known) < _MOST_KNOWN:
                self._known.add(known)


def _check_text(text: bytes, offset: int) -> None:
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError as error:
            at = offset + error.start
            raise _damaged(f"text that is not UTF-8 at byte {at}", at) from error


def _damaged(detail: str, offset: int) -> MalformedError:
    return MalformedError("corrupt", detail, offset=offset)
