"""Headers of TensorRT engines, also called plans. The rest of the format is not published.

The header contains, little-endian: four magic bytes, four zeros, the format's version at 8, the
file's size at 16 (TensorRT for RTX), and the release that wrote it at 24, one byte each for major,
minor, patch and build; see <https://github.com/NVIDIA/TensorRT/issues/3073>.
Ultralytics' exporter prepends its own JSON, preceded by its length.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from modellint.base.files import open_regular
from modellint.base.json_text import parse_json
from modellint.formats.problems import broken
from modellint.formats.trt import ENGINE
from modellint.model import Model

name = ENGINE.name

WRITERS = {b"ftrt": "TensorRT", b"ptrt": "TensorRT", b"vtrt": "TensorRT for RTX"}
HEADER = 32
SMALLEST = 64
"""Bytes below which there is nothing but a header."""
OLDEST, NEWEST = 1, 40
"""Valid major versions in a header."""
MOST_FORMATS = 1 << 16
LONGEST_METADATA = 1 << 20


class Header(NamedTuple):
    """Content of an engine's header."""

    writer: str
    version: str
    size: int | None
    """Size of the whole engine, if stated by the writer."""


def read_header(data: bytes) -> Header | None:
    """Parse the header at the start of the data, if there is one."""
    writer = WRITERS.get(data[:4])
    if writer is None or len(data) < HEADER or not OLDEST <= data[24] <= NEWEST:
        return None
    if any(data[4:8]) or int.from_bytes(data[8:16], "little") >= MOST_FORMATS:
        return None  # it only begins like an engine
    # The builds of release 10 and later need more than a byte, and are truncated.
    version = ".".join(map(str, data[24:28] if data[:4] == b"vtrt" else data[24:27]))
    size = int.from_bytes(data[16:24], "little") if data[:4] == b"vtrt" else None
    return Header(writer, version, size)


def _metadata_length(head: bytes) -> int | None:
    """Return the length of the JSON that Ultralytics prepends."""
    length = int.from_bytes(head[:4], "little")
    return length if 2 <= length <= LONGEST_METADATA and head[4:6] == b'{"' else None


def sniff(head: bytes, path: Path) -> bool:
    return read_header(head) is not None or _begins_with_metadata(head, path)


def _begins_with_metadata(head: bytes, path: Path) -> bool:
    length = _metadata_length(head)
    if length is None:
        return False
    with open_regular(path) as file:
        file.seek(4 + length)
        return read_header(file.read(HEADER)) is not None


def read(path: Path) -> Model:
    with open_regular(path) as file:
        head = file.read(HEADER)
        length = _metadata_length(head)
        start = 0
        metadata: dict[str, str] = {}
        if read_header(head) is None and length is not None:
            file.seek(4)
            metadata = _metadata(file.read(length))
            start = 4 + length
            file.seek(start)
            head = file.read(HEADER)
    header = read_header(head)
    if header is None:
        return broken(path, name, "corrupt", detail="damaged header")
    size = path.stat().st_size - start
    if size < SMALLEST or (header.size is not None and header.size < SMALLEST):
        return broken(path, name, "corrupt", detail="nothing follows the header")
    if header.size is not None and header.size > size:
        detail = "it ends before the engine does"
        return broken(path, name, "truncated", detail=detail, expected=header.size, size=size)
    model = Model(path, name)
    model.capabilities = ENGINE.tells
    model.producer_name, model.producer_version = header.writer, header.version
    model.metadata = metadata
    return model


def _metadata(raw: bytes) -> dict[str, str]:
    try:
        table: Any = parse_json(raw)
    except (ValueError, RecursionError):
        return {}
    return {str(key): str(value) for key, value in table.items()} if isinstance(table, dict) else {}
