"""Writing of an edited file: large ranges are copied by the system, without reading them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from io import RawIOBase
from pathlib import Path

from modellint.formats.onnx.edit.message import Copied, Piece, bytes_of
from modellint.formats.protobuf import FileWindow

PART = 8 << 20
"""Bytes that are copied at once where the system cannot do it."""


def write_pieces(pieces: Iterable[Piece], to: Path) -> None:
    with to.open("xb") as file:
        for piece in pieces:
            if isinstance(piece, Copied) and isinstance(piece.data, FileWindow):
                file.flush()
                _copy(piece.data.file, file.fileno(), piece.offset, piece.offset + piece.length)
            else:
                file.write(bytes_of(piece))
        file.flush()
        file.truncate(os.lseek(file.fileno(), 0, os.SEEK_CUR))  # where it ends with a hole


def _copy(original: RawIOBase, to: int, start: int, end: int) -> None:
    """Copy a range; holes in a sparse file stay holes."""
    while start < end:
        hole_ends = min(_sought(original, start, "SEEK_DATA", end), end)
        os.lseek(to, hole_ends - start, os.SEEK_CUR)
        start = min(_sought(original, hole_ends, "SEEK_HOLE", end), end)
        _copy_data(original, to, hole_ends, start)


def _sought(original: RawIOBase, offset: int, kind: str, end: int) -> int:
    """Return where the next data or hole starts; all is data where the system does not say."""
    whence = getattr(os, kind, None)
    unknown = offset if kind == "SEEK_DATA" else end
    if whence is None or offset >= end:
        return unknown
    try:
        return os.lseek(original.fileno(), offset, whence)
    except OSError as error:
        return end if error.errno == errno.ENXIO else unknown


def _copy_data(original: RawIOBase, to: int, offset: int, end: int) -> None:
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


def _parts(original: RawIOBase, offset: int, end: int) -> Iterator[bytes]:
    original.seek(offset)
    while offset < end:
        part = original.read(min(PART, end - offset)) or b""
        if not part:
            raise OSError("the file has become shorter")
        offset += len(part)
        yield part
