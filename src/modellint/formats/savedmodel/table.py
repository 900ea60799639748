"""The index of variables: a table of keys and values in sorted blocks, as LevelDB writes it.

https://github.com/tensorflow/tensorflow/tree/v2.21.0/tensorflow/core/lib/io/format.cc
"""

from __future__ import annotations

from collections.abc import Iterator

from modellint.formats.problems import MalformedError
from modellint.formats.protobuf import read_varint
from modellint.formats.source import Source

MAGIC = 0xDB4775248B80FB57
FOOTER = 48
MOST_BLOCK = 16 << 20
MOST_ENTRIES = 1 << 20


def read_table(source: Source) -> Iterator[tuple[bytes, bytes]]:
    """Iterate over keys and values. Raises MalformedError."""
    if source.size < FOOTER or source.number(source.size - 8, "<Q") != MAGIC:
        raise MalformedError("corrupt", "the index of variables has no valid end")
    footer = source.read(source.size - FOOTER, FOOTER - 8)
    at = 0
    for _ in range(2):  # the place of another index, which nothing uses, is first
        _, at = read_varint(footer, at, len(footer))
    offset, at = read_varint(footer, at, len(footer))
    length, _ = read_varint(footer, at, len(footer))
    count = 0
    for _, handle in _entries(_block(source, offset, length)):
        start, at = read_varint(handle, 0, len(handle))
        size, _ = read_varint(handle, at, len(handle))
        for entry in _entries(_block(source, start, size)):
            count += 1
            if count > MOST_ENTRIES:
                raise MalformedError("corrupt", f"more than {MOST_ENTRIES} variables")
            yield entry


def _block(source: Source, offset: int, length: int) -> bytes:
    if length > MOST_BLOCK:
        raise MalformedError("corrupt", "a block of the index of variables is too large")
    content = source.read(offset, length + 1, "a block of the index of variables")
    if content[-1] != 0:
        detail = "the index of variables is compressed"
        raise MalformedError("unsupported-format", detail, format="TensorFlow SavedModel")
    return content[:-1]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Iterate over the entries of a block, whose keys omit the prefix shared with the last one."""
    if len(block) < 4:
        raise MalformedError("corrupt", "a block of the index of variables is cut off")
    end = len(block) - 4 - 4 * int.from_bytes(block[-4:], "little")
    at, key = 0, b""
    while at < end:
        shared, at = read_varint(block, at, end)
        added, at = read_varint(block, at, end)
        size, at = read_varint(block, at, end)
        if at + added + size > end or shared > len(key):
            raise MalformedError("corrupt", "an entry of the index of variables is cut off")
        key = key[:shared] + block[at : at + added]
        at += added
        yield key, block[at : at + size]
        at += size
