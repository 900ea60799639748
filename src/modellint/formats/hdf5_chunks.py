"""Elements of HDF5 datasets stored in chunks: the location and content of each chunk.

Chunks are found by a tree of their places, of the old or of the new kind, by a fixed array, or as
one. Extensible arrays, and filters other than gzip, shuffle and checksums, stay unread.

https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import prod
from typing import NamedTuple

from modellint.formats.problems import MalformedError

_SINGLE, _IMPLICIT, _FIXED, _TREE = 1, 2, 3, 5
"""Kinds of an index of chunks."""
_GZIP, _SHUFFLE, _CHECKSUM = 1, 2, 3
"""Filters."""
_ABSENT = (1 << 64) - 1
_END = 4
"""Bytes of the checksum that ends a structure."""
MOST_CHUNKS = 1 << 18
LARGEST_CHUNK = 1 << 28


class Structures:
    """Numbers and bytes of a file, as the reader of HDF5 gets them."""

    def __init__(
        self,
        number: Callable[[int, str], int],
        content: Callable[[int, int], bytes],
        expect: Callable[[int, bytes], None],
    ) -> None:
        self.number = number
        self.content = content
        self.expect = expect
        self.left = MOST_CHUNKS
        """Chunks and nodes of trees that may still be looked at, in the whole file."""

    def count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise MalformedError("corrupt", f"more than {MOST_CHUNKS} HDF5 chunks")

    def wide(self, at: int, width: int) -> int:
        return int.from_bytes(self.content(at, width), "little")


class Chunk(NamedTuple):
    """A part of the elements: its first place along each axis, and where it is."""

    first: tuple[int, ...]
    offset: int
    length: int
    skipped: int
    """Bits of the filters that were not applied to it."""


class Chunks(NamedTuple):
    """The chunks of a dataset."""

    sizes: tuple[int, ...]
    """Elements of a chunk along each axis."""
    width: int
    """Bytes of an element."""
    filters: tuple[int, ...]
    parts: tuple[Chunk, ...]

    def moved(self, by: int) -> Chunks:
        """Return the same for a file that begins inside of another."""
        parts = (each._replace(offset=each.offset + by) for each in self.parts)
        return self._replace(parts=tuple(parts))

    @property
    def work(self) -> int:
        """Return the bytes of the chunks, stored or decompressed, whichever are more."""
        unpacked = len(self.parts) * prod(self.sizes) * self.width
        return max(unpacked, sum(each.length for each in self.parts))

    def elements(self, contents: Iterable[bytes], shape: tuple[int, ...]) -> bytes | None:
        """Return all elements in order, from the chunks; None if they do not add up."""
        import numpy as np

        if 0 in shape:  # other dims may be more than numpy can have
            return b""
        whole = np.zeros((*shape, self.width), dtype=np.uint8)
        for chunk, stored in zip(self.parts, contents, strict=True):
            content = self._content(stored, chunk.skipped)
            if content is None:
                return None
            block = np.frombuffer(content, dtype=np.uint8).reshape((*self.sizes, self.width))
            sides = list(zip(chunk.first, self.sizes, shape, strict=True))
            kept = [max(0, min(size, dim - at)) for at, size, dim in sides]
            places = tuple(
                slice(at, at + count) for (at, *_), count in zip(sides, kept, strict=True)
            )
            whole[places] = block[tuple(map(slice, kept))]
        return whole.tobytes()

    def _content(self, stored: bytes, skipped: int) -> bytes | None:
        """Undo the filters, the last one first."""
        size = prod(self.sizes) * self.width
        for place in reversed(range(len(self.filters))):
            kind = self.filters[place]
            if skipped >> place & 1:
                continue
            if kind == _CHECKSUM:
                stored = stored[:-_END]
            elif kind == _GZIP:
                try:
                    stored = zlib.decompressobj().decompress(stored, size + _END + 1)
                except zlib.error:
                    return None
            else:
                stored = _unshuffled(stored, self.width)
        return stored if len(stored) == size else None


def _unshuffled(stored: bytes, width: int) -> bytes:
    """Put the bytes of each element together again; what is left over stays at the end."""
    import numpy as np

    count = len(stored) // width
    apart = np.frombuffer(stored[: count * width], dtype=np.uint8).reshape(width, count)
    return apart.T.tobytes() + stored[count * width :]


def filters_of(file: Structures, at: int) -> tuple[int, ...]:
    """Return the filters of a dataset by their numbers."""
    version, count = file.number(at, "B"), file.number(at + 1, "B")
    at += 8 if version == 1 else 2
    found = []
    for _ in range(count):
        kind = file.number(at, "H")
        is_named = version == 1 or kind >= 256
        name = file.number(at + 2, "H") if is_named else 0
        at += 4 if is_named else 2
        values = file.number(at + 2, "H")
        at += 4 + (-(-name // 8) * 8 if version == 1 else name) + 4 * values
        at += 4 if version == 1 and values % 2 else 0
        found.append(kind)
    return tuple(found)


def are_readable(filters: Sequence[int]) -> bool:
    return all(kind in (_GZIP, _SHUFFLE, _CHECKSUM) for kind in filters)


def chunks_of(
    file: Structures, at: int, shape: tuple[int, ...], filters: tuple[int, ...]
) -> Chunks | None:
    """Return the chunks that a description of layout leads to; None if it is not read."""
    is_old = file.number(at, "B") == 3
    rank = file.number(at + (2 if is_old else 3), "B")
    width, start = (4, at + 11) if is_old else (file.number(at + 4, "B"), at + 5)
    sizes = tuple(file.wide(start + width * axis, min(width, 8)) for axis in range(rank))
    if rank != len(shape) + 1 or min(sizes) < 1 or prod(sizes) > LARGEST_CHUNK:
        raise MalformedError("corrupt", "an HDF5 dataset with an impossible chunk size")
    if is_old:
        index: Iterator[Chunk] | None = _old_tree(file, file.number(at + 3, "Q"), rank)
    else:
        index = _indexed(file, at, start + width * rank, sizes, shape, filters)
    if index is None:
        return None
    return Chunks(sizes[:-1], sizes[-1], filters, tuple(_limited(file, index)))


def _limited(file: Structures, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    for chunk in chunks:
        file.count()
        if chunk.offset != _ABSENT:
            yield chunk


def _old_tree(file: Structures, tree: int, rank: int) -> Iterator[Chunk]:
    """Iterate over the chunks of a tree of version 1, whose keys have a place of each axis."""
    key = 8 + 8 * rank
    waiting = [] if tree == _ABSENT else [tree]
    while waiting:
        at = waiting.pop()
        file.expect(at, b"TREE")
        level, count = file.number(at + 5, "B"), file.number(at + 6, "H")
        for entry in range(count):
            place = at + 24 + (key + 8) * entry
            child = file.number(place + key, "Q")
            if level:
                file.count()
                waiting.append(child)
                continue
            first = tuple(file.number(place + 8 + 8 * axis, "Q") for axis in range(rank - 1))
            yield Chunk(first, child, file.number(place, "I"), file.number(place + 4, "I"))


def _indexed(
    file: Structures,
    layout: int,
    at: int,
    sizes: tuple[int, ...],
    shape: tuple[int, ...],
    filters: tuple[int, ...],
) -> Iterator[Chunk] | None:
    """Return the chunks of an index of version 4; None for one that is not read."""
    kind, nbytes = file.number(at, "B"), prod(sizes)
    if kind == _SINGLE:
        if file.number(layout + 2, "B") & 2:
            chunk = Chunk(
                (0,) * len(shape),
                file.number(at + 13, "Q"),
                file.number(at + 1, "Q"),
                file.number(at + 9, "I"),
            )
        else:
            chunk = Chunk((0,) * len(shape), file.number(at + 1, "Q"), nbytes, 0)
        return iter([chunk])
    if kind == _IMPLICIT:
        start = file.number(at + 1, "Q")
        return (
            Chunk(first, start + nbytes * place, nbytes, 0)
            for place, first in enumerate(_places(shape, sizes))
        )
    if kind == _FIXED:
        return _fixed(file, file.number(at + 2, "Q"), sizes, shape)
    if kind == _TREE:
        return _new_tree(file, file.number(at + 7, "Q"), sizes, bool(filters))
    return None


def _places(shape: tuple[int, ...], sizes: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Iterate over the first places of all chunks in order, which a file can say are too many."""
    sides = [(-(-dim // size), size) for dim, size in zip(shape, sizes[:-1], strict=True)]
    for place in range(prod(count for count, _ in sides)):
        first, rest = list[int](), place
        for count, size in reversed(sides):
            rest, at = divmod(rest, count)
            first.append(at * size)
        yield tuple(reversed(first))


def _fixed(
    file: Structures, header: int, sizes: tuple[int, ...], shape: tuple[int, ...]
) -> Iterator[Chunk]:
    """Iterate over the chunks of an array, which may be in pages."""
    if header == _ABSENT:  # nothing has been written
        return
    file.expect(header, b"FAHD")
    is_filtered, width = file.number(header + 5, "B") == 1, file.number(header + 6, "B")
    page = 1 << min(file.number(header + 7, "B"), 32)
    count, block = file.number(header + 8, "Q"), file.number(header + 16, "Q")
    if block == _ABSENT:
        return
    file.expect(block, b"FADB")
    at = block + 14
    pages = -(-count // page) if count > page else 0
    start = at + -(-pages // 8) + _END if pages else at
    for place, first in enumerate(_places(shape, sizes)):
        if place >= count:
            return
        used = file.number(at + place // page // 8, "B") << place // page % 8 & 0x80 if pages else 1
        if not used:  # a page that nothing has been written to
            file.count()
            continue
        entry = start + width * place + (_END * (place // page) if pages else 0)
        if is_filtered:
            length = file.wide(entry + 8, width - 12)
            yield Chunk(first, file.number(entry, "Q"), length, file.wide(entry + width - 4, 4))
        else:
            yield Chunk(first, file.number(entry, "Q"), prod(sizes), 0)


def _new_tree(
    file: Structures, header: int, sizes: tuple[int, ...], is_filtered: bool
) -> Iterator[Chunk]:
    """Iterate over the chunks of a tree of version 2."""
    if header == _ABSENT:
        return
    file.expect(header, b"BTHD")
    node, record = file.number(header + 6, "I"), file.number(header + 10, "H")
    depth, root = file.number(header + 12, "H"), file.number(header + 16, "Q")
    waiting = [(root, depth, file.number(header + 24, "H"))] if root != _ABSENT else []
    widths = _child_widths(node, record, depth)
    while waiting:
        at, level, count = waiting.pop()
        file.expect(at, b"BTIN" if level else b"BTLF")
        for place in range(count):
            yield _record(file, at + 6 + record * place, record, sizes, is_filtered)
        counts, totals = widths[level] if level else (0, 0)
        step, start = 8 + counts + totals, at + 6 + record * count
        for child in range(count + 1 if level else 0):
            file.count()
            entry = start + step * child
            waiting.append((file.number(entry, "Q"), level - 1, file.wide(entry + 8, counts)))


def _child_widths(node: int, record: int, depth: int) -> list[tuple[int, int]]:
    """Return the bytes of counts in pointers to children, by the level of the node they are in.

    A count is as wide as the most records that a child can have, the total of a subtree likewise.
    """
    if record < 1 or node < 16 or depth > 32:
        raise MalformedError("corrupt", "an HDF5 tree with impossible sizes")
    most = total = max(0, (node - 10) // record)
    widths = [(0, 0)]
    first = _bytes_for(most)
    for level in range(1, depth + 1):
        widths.append((first, _bytes_for(total) if level > 1 else 0))
        pointer = 8 + sum(widths[-1])
        inner = max(0, (node - 10 - pointer) // (record + pointer))
        total = (inner + 1) * total + inner
    return widths


def _bytes_for(number: int) -> int:
    return max(1, (number.bit_length() + 7) // 8)


def _record(
    file: Structures, at: int, width: int, sizes: tuple[int, ...], is_filtered: bool
) -> Chunk:
    rank = len(sizes) - 1
    scaled = at + width - 8 * rank
    first = tuple(file.number(scaled + 8 * axis, "Q") * sizes[axis] for axis in range(rank))
    if not is_filtered:
        return Chunk(first, file.number(at, "Q"), prod(sizes), 0)
    length = file.wide(at + 8, width - 12 - 8 * rank)
    return Chunk(first, file.number(at, "Q"), length, file.number(scaled - 4, "I"))
