"""Reader of binary ONNX files: a serialized ModelProto."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modellint.formats.onnx import ONNX
from modellint.formats.onnx.wire import diagnose, strip_file
from modellint.formats.problems import MalformedError, broken
from modellint.formats.protobuf import LENGTH, VARINT, read_varint
from modellint.model import Model

if TYPE_CHECKING:
    from onnx import ModelProto

name = ONNX.name

_MODEL_FIELDS = {
    **dict.fromkeys((1, 5), VARINT),
    **dict.fromkeys((2, 3, 4, 6, 7, 8, 14, 20, 25, 26), LENGTH),
}
_IR_VERSION, _GRAPH = 1, 7
HIGHEST_IR_VERSION = 1000
MOST_REMAINING = 1 << 30
"""Maximum size to parse after removing payloads. Protobuf's own limit is twice as large."""


def sniff(head: bytes, path: Path) -> bool:
    """Return True if the fields in the head are those of a ModelProto.

    All must be known fields of the right wire type, and enough of them to rule out coincidence.
    """
    position = 0
    seen: set[int] = set()
    while position < len(head):
        try:
            tag, position = read_varint(head, position, len(head))
            field, wire = tag >> 3, tag & 7
            if _MODEL_FIELDS.get(field) != wire:
                return _is_likely(seen, path)
            number, position = read_varint(head, position, len(head))
        except MalformedError:
            break
        if field == _IR_VERSION and not 0 < number < HIGHEST_IR_VERSION:
            return False
        seen.add(field)
        if field == _GRAPH and len(seen) > 1:
            return True
        if wire == LENGTH:
            position += number
    return _GRAPH in seen or _is_likely(seen, path)


def _is_likely(seen: set[int], path: Path) -> bool:
    """Return True if there are enough fields, or the suffix matches as well."""
    return len(seen) >= 3 or (bool(seen) and ONNX.is_named(path))


def read(path: Path) -> Model:
    """Read the model, leaving large payloads in the file."""
    try:
        stripped, payloads = strip_file(path)
    except MalformedError as error:
        return broken(path, name, error.kind, **error.facts)
    if len(stripped) > MOST_REMAINING:
        detail = f"{len(stripped)} bytes remain without its weights"
        return broken(path, name, "unsupported-format", format=ONNX.title, detail=detail)
    from modellint.formats.onnx.build import build

    proto = parse(stripped)
    if isinstance(proto, MalformedError):
        return broken(path, name, proto.kind, **proto.facts)
    if not proto.HasField("graph"):
        return broken(path, name, "corrupt", detail="no graph")
    return build(proto, path, payloads=payloads, stripped=stripped)


def parse(stripped: bytes) -> ModelProto | MalformedError:
    from modellint.native import messages

    try:
        proto: ModelProto = messages().ModelProto.FromString(stripped)
    except Exception as error:  # protobuf's DecodeError, whose module is untyped
        try:
            diagnose(stripped)
        except MalformedError as found:
            return found
        return MalformedError("corrupt", f"protobuf cannot parse it: {error}")
    return proto
