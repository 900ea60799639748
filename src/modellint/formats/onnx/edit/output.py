"""Writing of an edited file: large ranges are copied by the system, without reading them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from io import FileIO
from pathlib import Path

from modellint.formats.onnx.edit.message import Copied, Piece, bytes_of
from modellint.formats.protobuf import FileWindow

PART = 8 << 20
"""Bytes that are copied at once where the system cannot do it."""


def write_pieces(pieces: Iterable[Piece], original: FileIO, to: Path) -> None:
    with to.open("xb") as file:
        for piece in pieces:
            if isinstance(piece, Copied) and isinstance(piece.data, FileWindow):
                file.flush()
                _copy(original, file.fileno(), piece.offset, piece.length)
            else:
                file.write(bytes_of(piece))


def _copy(original: FileIO, to: int, offset: int, length: int) -> None:
    end = offset + length
    while offset < end:
        copied = _copied_by_system(original.fileno(), to, offset, end - offset)
        if not copied:
            break
        offset += copied
    for part in _parts(original, offset, end):
        view = memoryview(part)
        while view:
            view = view[os.write(to, view) :]


def _copied_by_system(source: int, to: int, offset: int, length: int) -> int:
    """Return the number of bytes that the system copied; 0 if it cannot."""
    copy = getattr(os, "copy_file_range", None)
    if copy is None:
        return 0
    try:
        copied: int = copy(source, to, length, offset_src=offset)
    except OSError:
        return 0
    return copied


def _parts(original: FileIO, offset: int, end: int) -> Iterator[bytes]:
    original.seek(offset)
    while offset < end:
        part = original.read(min(PART, end - offset)) or b""
        if not part:
            raise OSError("the file has become shorter")
        offset += len(part)
        yield part
