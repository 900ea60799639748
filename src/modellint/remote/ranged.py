"""Stand-ins: files without content, which is fetched in the ranges that are read of it."""

from __future__ import annotations

import io
import sys
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


def make_sparse(path: Path, size: int) -> None:
    """Create a file of a size that takes no space."""
    with path.open("wb") as file:
        if sys.platform == "win32":
            import ctypes
            import msvcrt

            set_sparse, done = 0x900C4, ctypes.c_ulong()
            handle = msvcrt.get_osfhandle(file.fileno())
            ctypes.windll.kernel32.DeviceIoControl(
                handle, set_sparse, None, 0, None, 0, ctypes.byref(done), None
            )
        file.truncate(size)
