"""Removes large payloads from a serialized ONNX model without reading them.

The walk knows just enough of the schema to reach every tensor. It skips fields by length,
descends only into messages that are large enough to contain a large payload, and copies
everything between two payloads as one range. The result is a valid ModelProto in which each
payload is replaced by a mark that refers to its place in the file.
"""

from __future__ import annotations

import os
from dataclasses import field
from pathlib import Path
from typing import NamedTuple

from modellint.base.files import open_regular
from modellint.base.records import dataclass
from modellint.formats.problems import MalformedError
from modellint.formats.protobuf import (
    DEEPEST,
    FIXED32,
    FIXED64,
    LENGTH,
    READ_WHOLE,
    VARINT,
    Buffer,
    FileWindow,
    read_varint,
    write_varint,
)

LARGE = 4096
"""Minimum size of payloads to remove; smaller ones are shape arguments, scales, zero points."""
RAW_DATA = 9
STRING_DATA = 6
PAYLOAD_FIELDS = frozenset({4, 5, STRING_DATA, 7, RAW_DATA, 10, 11})
_WIDTHS = {4: 4, 10: 8}
"""Bytes of a number in the fields that pack those of one width."""
_VARINTS = frozenset({5, 7, 11})
EXTERNAL_DATA = 13
DATA_LOCATION = 14

_Schema = dict[int, "str"]
CHILDREN: dict[str, _Schema] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Graph": {1: "Node", 5: "Tensor", 15: "Sparse"},
    "Training": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {
        4: "Blob",
        5: "Tensor",
        6: "Graph",
        10: "Tensor",
        11: "Graph",
        22: "Sparse",
        23: "Sparse",
    },
    "Sparse": {1: "Tensor", 2: "Tensor"},
}


class Payload(NamedTuple):
    """A removed run of bytes, and the TensorProto field it belongs to."""

    field: int
    offset: int
    length: int


@dataclass(slots=True)
class Payloads:
    """Removed payloads, by the marks that replace them.

    Marks contain a random token for each file, so that no file can forge one.
    """

    token: str = field(default_factory=lambda: f"left-out:{os.urandom(8).hex()}")
    runs: list[tuple[Payload, ...]] = field(default_factory=list)

    def leave_out(self, runs: tuple[Payload, ...]) -> str:
        self.runs.append(runs)
        return str(len(self.runs) - 1)


def strip(data: Buffer) -> tuple[bytes, Payloads]:
    """Return the model without its large payloads, and their places."""
    payloads = Payloads()
    stripped = _Stripper(data, payloads, LARGE).message("Model", 0, len(data), 0)
    return (b"".join(stripped) if stripped is not None else data[0 : len(data)]), payloads


def diagnose(data: bytes) -> None:
    """Walk the whole message, and raise `MalformedError` at the first error."""
    _Stripper(data, Payloads(), 0).message("Model", 0, len(data), 0)


def _length_field(number: int, body: bytes) -> bytes:
    return write_varint(number << 3 | LENGTH) + write_varint(len(body)) + body


class _Stripper:
    def __init__(self, data: Buffer, payloads: Payloads, large: int) -> None:
        self.data = data
        self.payloads = payloads
        self.large = large

    def message(self, kind: str, start: int, end: int, depth: int) -> list[bytes] | None:
        """Return the message's bytes without large payloads, or None if it has none."""
        if depth > DEEPEST:
            raise MalformedError("too-deep", f"more than {DEEPEST} nested messages", limit=DEEPEST)
        data, large, children = self.data, self.large, CHILDREN[kind]
        pieces: list[bytes] = []
        position = copied = start
        while position < end:
            begin = position
            tag = data[position]
            position += 1
            if tag > 0x7F:
                tag, position = read_varint(data, begin, end)
            if tag & 7 != LENGTH:
                position = self._skip(tag, position, end)
                continue
            length, body = read_varint(data, position, end)
            position = body + length
            if position > end:
                break
            if length < large:
                continue
            child = children.get(tag >> 3)
            if child is None:
                continue
            shorter = self._child(child, body, position, depth)
            if shorter is not None:
                pieces.append(data[copied:begin])
                pieces.append(write_varint(tag) + write_varint(sum(map(len, shorter))))
                pieces.extend(shorter)
                copied = position
        if position > end:
            raise self._overrun(kind, position, end)
        if not pieces:
            return None
        pieces.append(data[copied:end])
        return pieces

    def _child(self, kind: str, start: int, end: int, depth: int) -> list[bytes] | None:
        if kind == "Tensor":
            return self._tensor(start, end)
        if kind == "Blob":
            return self._blob(start, end)
        return self.message(kind, start, end, depth + 1)

    def _tensor(self, start: int, end: int) -> list[bytes] | None:
        data = self.data
        runs: list[Payload] = []
        pieces: list[bytes] = []
        position = copied = start
        while position < end:
            begin = position
            tag, position = read_varint(data, position, end)
            is_payload = tag >> 3 in PAYLOAD_FIELDS
            if tag & 7 != LENGTH:
                if is_payload:  # not packed, which no current writer does: keep it
                    return None
                position = self._skip(tag, position, end)
                continue
            length, body = read_varint(data, position, end)
            position = body + length
            if position > end:
                break
            if is_payload:
                self._check_end(tag >> 3, body, length)
                runs.append(Payload(tag >> 3, body, length))
                if begin > copied:
                    pieces.append(data[copied:begin])
                copied = position
        if position > end:
            raise self._overrun("Tensor", position, end)
        if sum(run.length for run in runs) < max(self.large, 1):
            return None
        pieces.append(data[copied:end])
        pieces.append(self._mark(tuple(runs)))
        return pieces

    def _check_end(self, field: int, start: int, length: int) -> None:
        """Raise `MalformedError` if packed numbers end in half of one, unseen by protobuf."""
        end = start + length
        is_cut = length % _WIDTHS.get(field, 1) or (
            field in _VARINTS and length and self.data[end - 1] > 0x7F
        )
        if is_cut:
            detail = f"half a number at byte {end}, in the data of a tensor"
            raise MalformedError("corrupt", detail, offset=end)

    def _mark(self, runs: tuple[Payload, ...]) -> bytes:
        """Return a mark: external data, as far as protobuf and shape inference are concerned."""
        index = self.payloads.leave_out(runs)
        entry = _length_field(1, self.payloads.token.encode()) + _length_field(2, index.encode())
        return _length_field(EXTERNAL_DATA, entry) + write_varint(DATA_LOCATION << 3) + b"\x01"

    def _blob(self, start: int, end: int) -> list[bytes] | None:
        """Remove a string attribute: if this long, an embedded engine or other opaque data."""
        if end - start < self.large:
            return None
        index = self.payloads.leave_out((Payload(RAW_DATA, start, end - start),))
        return [f"{self.payloads.token}:{index}".encode()]

    def _skip(self, tag: int, position: int, end: int) -> int:
        wire = tag & 7
        if tag == wire:  # a file that was allocated and not written may be gigabytes of them
            detail = f"field number 0 before byte {position}"
            raise MalformedError("corrupt", detail, offset=position)
        if wire == VARINT:
            return read_varint(self.data, position, end)[1]
        if wire == FIXED32:
            return position + 4
        if wire == FIXED64:
            return position + 8
        raise MalformedError(
            "corrupt", f"unknown wire type {wire} before byte {position}", offset=position
        )

    def _overrun(self, kind: str, position: int, end: int) -> MalformedError:
        if kind == "Model":
            return MalformedError(
                "truncated",
                f"it ends at byte {end}, but its content needs at least {position}",
                expected=position,
                size=end,
            )
        return MalformedError(
            "corrupt", f"a {kind} is declared {position - end} bytes too long", offset=end
        )


def stripped_bytes(path: Path) -> bytes:
    """Return a model's bytes without payloads; empty if they cannot be read."""
    try:
        return strip_file(path)[0]
    except (MalformedError, OSError, ValueError):
        return b""


def strip_file(path: Path) -> tuple[bytes, Payloads]:
    """Return a model without its large payloads, and their places."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        return strip((file.read(size) or b"") if size <= READ_WHOLE else FileWindow(file, size))
