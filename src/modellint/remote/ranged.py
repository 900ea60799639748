"""A file that is fetched in the ranges that are read of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any


class RangedFile(io.FileIO):
    """A stand-in, opened: size and position are its own, content is fetched."""

    def __init__(self, path: Path, fetch: Callable[[int, int], bytes]) -> None:
        super().__init__(path, "rb")
        self._fetch = fetch
        self._length = self.seek(0, io.SEEK_END)
        self.seek(0)

    def read(self, size: int | None = -1, /) -> bytes:
        start = self.tell()
        stop = self._length if size is None or size < 0 else min(start + size, self._length)
        if start >= stop:
            return b""
        data = self._fetch(start, stop)
        self.seek(start + len(data))
        return data

    def readall(self) -> bytes:
        return self.read()

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)
