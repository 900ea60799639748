"""Zip archives: their members, and the positions of uncompressed ones in the file."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from modellint.base.files import open_regular
from modellint.base.json_text import parse_json
from modellint.formats.problems import MalformedError
from modellint.formats.source import Source

_LOCAL_HEADER = 30
_LOCAL_MAGIC = b"PK\x03\x04"
_LISTED = 46
_LISTED_MAGIC = b"PK\x01\x02"
_LONGEST_NAME = 1000
_END = 22
_END_MAGIC = b"PK\x05\x06"
_LONGEST_END = _END + 0xFFFF
"""Bytes of the record at the end of an archive, with the longest comment."""
_ENCRYPTED = 1
MOST_MEMBERS = 1 << 20
MOST_JSON = 64 << 20


class Archive:
    """The members of a zip archive by name. Raises MalformedError if it has no directory.

    With `is_lenient`, checksums and the names ahead of members may be wrong: PyTorch's loader looks
    at neither, and its writer leaves checksums out on request.
    """

    def __init__(self, source: Source, *, is_lenient: bool = False) -> None:
        self._source = source
        self._is_lenient = is_lenient
        self._file = open_regular(source.path)
        try:
            self._zip = zipfile.ZipFile(self._file)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError) as error:
            self._file.close()
            detail = f"its zip directory is damaged or missing ({error})"
            raise MalformedError("corrupt", detail) from error
        infos = self._zip.infolist()
        if min((info.header_offset for info in infos), default=0):
            self._close()
            detail = "its zip directory is missing: the last one is of an archive inside"
            raise MalformedError("corrupt", detail)
        if len(infos) > MOST_MEMBERS:
            self._close()
            detail = f"more than {MOST_MEMBERS} files in the archive"
            raise MalformedError("corrupt", detail, limit=MOST_MEMBERS)
        self.members: Mapping[str, zipfile.ZipInfo] = {info.filename: info for info in infos}

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        self._zip.close()
        self._file.close()

    def read(self, name: str, most: int) -> bytes:
        """Return the content of a member of at most that many bytes."""
        info = self.members[name]
        if info.file_size > most:
            detail = f"'{name}' in the archive is larger than {most} bytes"
            raise MalformedError("corrupt", detail)
        if info.flag_bits & _ENCRYPTED:
            raise MalformedError("encrypted", "a zip archive with a password")
        place = self.place(name) if self._is_lenient else None
        if place is not None:
            return self._source.read(*place, f"'{name}' in the archive")
        try:
            with self._zip.open(info) as member:
                content = member.read(most + 1)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,
            RuntimeError,
            ValueError,
        ) as error:
            detail = f"'{name}' in the archive is damaged ({error})"
            raise MalformedError("corrupt", detail) from error
        if len(content) > most:
            raise MalformedError("corrupt", f"'{name}' in the archive is larger than it says")
        return content

    def json(self, name: str) -> Any:
        """Return the JSON content of a member."""
        content = self.read(name, MOST_JSON)
        try:
            return parse_json(content)
        except (ValueError, RecursionError) as error:
            raise MalformedError("corrupt", f"'{name}' is not JSON ({error})") from error

    def place(self, name: str) -> tuple[int, int] | None:
        """Return offset and length of a member in the file; None if it is compressed."""
        info = self.members[name]
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & _ENCRYPTED:
            return None
        part = f"'{name}' in the archive"
        header = self._source.read(info.header_offset, _LOCAL_HEADER, part)
        if header[:4] != _LOCAL_MAGIC:
            raise MalformedError("corrupt", f"{part} is not where the directory says")
        names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        offset = info.header_offset + _LOCAL_HEADER + names
        self._source.require(offset, info.file_size, part)
        return offset, info.file_size


def first_listed(path: Path) -> str:
    """Return the name of the first file in an archive's directory, which is at its end.

    It is what counts where the bytes ahead of the first file are damaged.
    """
    with open_regular(path) as file:
        size = file.seek(0, os.SEEK_END)
        start = file.seek(max(size - _LONGEST_END, 0))
        tail = file.read(_LONGEST_END) or b""
        end = tail.rfind(_END_MAGIC, 0, len(tail) - _END + len(_END_MAGIC))
        if end < 0:
            return ""
        offset = int.from_bytes(tail[end + 16 : end + 20], "little")
        if offset > start + end:
            return ""
        file.seek(offset)
        entry = file.read(_LISTED + _LONGEST_NAME) or b""
    if entry[:4] != _LISTED_MAGIC or entry[8] & _ENCRYPTED:
        return ""
    length = int.from_bytes(entry[28:30], "little")
    return entry[_LISTED : _LISTED + length].decode(errors="replace")


def first_member(head: bytes) -> str:
    """Return the name of the first file in an unencrypted archive; empty for anything else."""
    if head[:4] != _LOCAL_MAGIC or (len(head) > 8 and head[6] & _ENCRYPTED):
        return ""
    length = int.from_bytes(head[26:28], "little")
    return head[_LOCAL_HEADER : _LOCAL_HEADER + length].decode(errors="replace")
