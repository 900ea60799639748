"""Whole files, for programs that read no stand-ins."""

from __future__ import annotations

from pathlib import Path

from modellint.remote.background import THREADS, awaited, in_parallel
from modellint.remote.origin import RemoteFile, RemoteFolder, Traffic, UnrangedError

PART = 4 << 20
"""Bytes that one request fetches."""


def write_whole(origin: RemoteFolder, entry: RemoteFile, path: Path, traffic: Traffic) -> None:
    """Write a remote file's content, in parts that are fetched at once. Raises OSError."""

    def part(start: int) -> bytes:
        return origin.read(entry, start, min(start + PART, entry.size), traffic)

    with path.open("wb") as file:
        try:
            for start in range(0, entry.size, PART * THREADS):
                stop = min(start + PART * THREADS, entry.size)
                file.writelines(in_parallel(part, range(start, stop, PART)))
        except UnrangedError:
            file.seek(0)
            awaited(lambda: origin.download(entry, file, traffic))
