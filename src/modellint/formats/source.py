"""Reading of a binary file at offsets that the file itself states, and that may be wrong."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from io import RawIOBase
from pathlib import Path
from types import TracebackType

from modellint.base.files import open_regular
from modellint.formats.problems import MalformedError

WINDOW = 1 << 16
_FORMATS: Mapping[str, struct.Struct] = {
    byte_order + code: struct.Struct(byte_order + code)
    for byte_order in "<>"
    for code in "bBhHiIqQefd"
}


class Source:
    """A regular file. Whatever lies outside of it raises `MalformedError`.

    Small reads near each other come from one window, so that walking a header is cheap.
    """

    def __init__(self, path: Path, window: int = WINDOW) -> None:
        self.path = path
        self._length = window
        self._file = open_regular(path)
        self.size = os.fstat(self._file.fileno()).st_size
        self._start, self._window = 0, b""

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def require(self, offset: int, length: int, part: str = "it") -> None:
        """Raise unless the file has `length` bytes at `offset`; `part` names them."""
        if offset < 0 or length < 0:
            raise MalformedError("corrupt", f"{part} is at a negative offset", offset=offset)
        if offset + length > self.size:
            raise MalformedError(
                "truncated",
                f"{part} ends after the file does",
                expected=offset + length,
                size=self.size,
            )

    def read(self, offset: int, length: int, part: str = "it") -> bytes:
        """Return the bytes at an offset."""
        self.require(offset, length, part)
        at = offset - self._start
        if not 0 <= at <= len(self._window) - length:
            if length > self._length:
                return read_exactly(self._file, offset, length)
            self._start, at = offset, 0
            self._window = read_exactly(self._file, offset, min(self._length, self.size - offset))
        return self._window[at : at + length]

    def number(self, offset: int, code: str, part: str = "it") -> int:
        """Return an integer; `code` is one of the struct module, ``<I`` for example."""
        layout = _FORMATS[code]
        number: int = layout.unpack(self.read(offset, layout.size, part))[0]
        return number

    def real(self, offset: int, code: str, part: str = "it") -> float:
        layout = _FORMATS[code]
        number: float = layout.unpack(self.read(offset, layout.size, part))[0]
        return number


def read_exactly(file: RawIOBase, offset: int, length: int) -> bytes:
    """Return the bytes at an offset of a file that may be truncated meanwhile."""
    file.seek(offset)
    pieces = []
    while length > 0:
        piece = file.read(length)
        if not piece:
            end = offset + length
            raise MalformedError("truncated", "it shrinks", expected=end, size=offset)
        pieces.append(piece)
        offset += len(piece)
        length -= len(piece)
    return b"".join(pieces)
