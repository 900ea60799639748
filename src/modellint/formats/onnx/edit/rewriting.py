"""Rewriting of a file as a whole, without the payloads of its large tensors."""

from __future__ import annotations

from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any

from modellint.formats.onnx.binary import parse
from modellint.formats.onnx.edit.message import (
    Copied,
    EditedMessage,
    Field,
    Piece,
    new_field,
)
from modellint.formats.onnx.wire import (
    CHILDREN,
    DATA_LOCATION,
    EXTERNAL_DATA,
    Payloads,
    strip_file,
)
from modellint.formats.problems import MalformedError
from modellint.formats.protobuf import FileWindow
from modellint.model.edits import EditError, Rewrite


def rewritten(path: Path, edit: Rewrite, file: FileIO) -> list[Piece]:
    """Return the edited file, with the payloads back in place."""
    stripped, payloads = strip_file(path)
    proto = parse(stripped)
    if isinstance(proto, MalformedError):
        raise EditError(str(proto))
    try:
        new: Any = edit.transform(proto)
    except Exception as error:  # of a library, which may raise anything
        raise EditError(f"{type(error).__name__}: {error}") from error
    serialized: bytes = new.SerializeToString()
    message = EditedMessage(serialized, 0, len(serialized))
    window = FileWindow(file, path.stat().st_size)
    _Splicer(payloads, window).fill("Model", message)
    return list(message.pieces())


class _Splicer:
    def __init__(self, payloads: Payloads, window: FileWindow) -> None:
        self.payloads = payloads
        self.window = window
        self.token = payloads.token.encode()

    def fill(self, kind: str, message: EditedMessage) -> None:
        """Put payloads where marks are, at any depth."""
        children = CHILDREN[kind]
        for field in list(message.fields):
            child = children.get(field.number)
            if child is None or self.token not in field.content:
                continue
            if child == "Tensor":
                self._fill_tensor(field.open())
            elif child == "Blob":
                self._fill_blob(message, field)
            else:
                self.fill(child, field.open())

    def _fill_tensor(self, tensor: EditedMessage) -> None:
        for entry in tensor.all(EXTERNAL_DATA):
            if entry.open().text(1) == self.payloads.token:
                entry.is_dropped = True
                for location in tensor.all(DATA_LOCATION):
                    location.is_dropped = True
                tensor.fields = [*tensor.fields, *self._runs(int(entry.open().text(2) or ""))]

    def _fill_blob(self, attribute: EditedMessage, field: Field) -> None:
        index = int(field.content.rpartition(b":")[2])
        field.is_dropped = True
        (run,) = self.payloads.runs[index]
        content = Copied(self.window, run.offset, run.length)
        attribute.insert(field, [new_field(field.number, content)])

    def _runs(self, index: int) -> Iterator[Field]:
        for run in self.payloads.runs[index]:
            yield new_field(run.field, Copied(self.window, run.offset, run.length))
