"""Reading of HDF5 files: groups, where the elements of datasets lie, and short attributes.

The library would be larger than modellint, and has crashed on damaged files. This reads what h5py
writes: both kinds of object headers, groups as trees or lists of links, data in one piece or in
chunks. Groups with thousands of links stay unread.

https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from modellint.base.text import bounded
from modellint.formats.hdf5_chunks import Chunks, Structures, are_readable, chunks_of, filters_of
from modellint.formats.problems import MalformedError
from modellint.formats.source import Source
from modellint.model import DTYPES, HIGHEST_RANK, UNDEFINED, DType

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MOST_OBJECTS, MOST_BLOCKS, DEEPEST = 1 << 18, 1 << 20, 64
LONGEST_ATTRIBUTE = 64 << 20
_ABSENT = (1 << 64) - 1
_SPACE, _LINKS, _TYPE, _LINK, _LAYOUT, _FILTERS = 1, 2, 3, 6, 8, 11
_ATTRIBUTE, _CONTINUED, _TABLE = 12, 16, 17
_CHUNKED = 2
"""Class of a layout."""
_SHARED = 2
"""Flag of a message that is somewhere else."""
_INTEGER, _FLOAT, _TEXT, _OPAQUE, _ENUM, _VARIABLE = 0, 1, 3, 5, 8, 9


class Dataset(NamedTuple):
    """Elements stored under a path."""

    path: str
    dtype: DType
    shape: tuple[int, ...]
    place: tuple[int, int] | None
    """Offset and length in the file; None for elements in chunks, or none at all."""
    is_big: bool
    """True if its elements are big-endian."""
    chunks: Chunks | None = None
    """Elements in chunks, if they can be read."""


class _ElementType(NamedTuple):
    kind: int
    size: int
    dtype: DType
    is_big: bool
    length: int
    """Bytes of its description."""


class _HeaderMessage(NamedTuple):
    kind: int
    offset: int
    length: int


class Hdf5:
    """The content of a file, or of a part of one that begins at `base`. Raises MalformedError."""

    def __init__(self, source: Source, base: int = 0) -> None:
        self._source = source
        self._base = base
        self._objects = self._blocks = 0
        self._structures = Structures(self._number, self._bytes, self._expect)
        self.attributes: dict[str, str] = {}
        """Texts of the outermost group."""
        self.datasets: list[Dataset] = []
        self.unread: list[str] = []
        """Paths of groups whose links are kept in a way that is not read."""
        root = self._root()
        self._read_attributes(root)
        self._walk(root)

    # Numbers and places

    def _number(self, offset: int, code: str) -> int:
        return self._source.number(self._base + offset, f"<{code}", "an HDF5 structure")

    def _bytes(self, offset: int, length: int) -> bytes:
        return self._source.read(self._base + offset, length, "an HDF5 structure")

    def _expect(self, offset: int, signature: bytes) -> None:
        if self._bytes(offset, len(signature)) != signature:
            detail = f"no {signature.decode()} where an HDF5 structure refers to one"
            raise MalformedError("corrupt", detail, offset=self._base + offset)

    def _root(self) -> int:
        """Return the place of the outermost group's header."""
        if self._bytes(0, 8) != SIGNATURE:
            raise MalformedError("corrupt", "no HDF5 signature")
        version = self._number(8, "B")
        sizes = 13 if version < 2 else 9
        if version > 3 or self._bytes(sizes, 2) != b"\x08\x08":
            detail = f"HDF5 superblock {version} with unusual sizes"
            raise MalformedError("unsupported-format", detail, format="HDF5")
        start = {0: 24, 1: 28}.get(version, 12)
        if self._number(start, "Q"):
            raise MalformedError("unsupported-format", "HDF5 after other data", format="HDF5")
        end = self._base + self._number(start + 16, "Q")
        if end > self._source.size:
            detail = f"HDF5 that needs {end} bytes, of which {self._source.size} are there"
            raise MalformedError("truncated", detail, expected=end, size=self._source.size)
        return self._number(start + (40 if version < 2 else 24), "Q")

    # Headers of objects

    def _messages(self, header: int) -> Iterator[_HeaderMessage]:
        self._objects += 1
        if self._objects > MOST_OBJECTS:
            raise MalformedError("corrupt", f"more than {MOST_OBJECTS} HDF5 objects")
        if self._bytes(header, 4) == b"OHDR":
            yield from self._new_messages(header)
        else:
            yield from self._old_messages(header)

    def _old_messages(self, header: int) -> Iterator[_HeaderMessage]:
        if self._number(header, "B") != 1:
            raise MalformedError("corrupt", "an unknown HDF5 object", offset=self._base + header)
        blocks = [(header + 16, self._number(header + 8, "I"))]
        while blocks:
            at, length = blocks.pop()
            self._count_block()
            end = at + length
            while at + 8 <= end:
                kind, size = self._number(at, "H"), self._number(at + 2, "H")
                if kind == _CONTINUED:
                    blocks.append((self._number(at + 8, "Q"), self._number(at + 16, "Q")))
                if not self._number(at + 4, "B") & _SHARED:
                    yield _HeaderMessage(kind, at + 8, size)
                at += 8 + size

    def _new_messages(self, header: int) -> Iterator[_HeaderMessage]:
        flags = self._number(header + 5, "B")
        at = header + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        code = "BHIQ"[flags & 3]
        width = 1 << (flags & 3)
        blocks = [(at + width, self._number(at, code))]
        step = 6 if flags & 4 else 4
        while blocks:
            at, length = blocks.pop()
            self._count_block()
            end = at + length
            while at + step <= end:
                kind, size = self._number(at, "B"), self._number(at + 1, "H")
                if kind == _CONTINUED:
                    start = self._number(at + step, "Q")
                    self._expect(start, b"OCHK")
                    blocks.append((start + 4, self._number(at + step + 8, "Q") - 8))
                if not self._number(at + 3, "B") & _SHARED:
                    yield _HeaderMessage(kind, at + step, size)
                at += step + size

    def _count_block(self) -> None:
        self._blocks += 1
        if self._blocks > MOST_BLOCKS:
            raise MalformedError("corrupt", f"more than {MOST_BLOCKS} HDF5 blocks")

    # Groups

    def _walk(self, root: int) -> None:
        seen = {root}
        waiting = [("", root, 0)]
        while waiting:
            path, header, depth = waiting.pop()
            links: dict[str, int] = {}
            space, stored, layout = None, None, None
            filters: tuple[int, ...] = ()
            for message in self._messages(header):
                if message.kind == _TABLE:
                    links |= self._table(message)
                elif message.kind == _LINK:
                    links |= self._link(message)
                elif message.kind == _SPACE:
                    space = self._dims(message.offset)
                elif message.kind == _TYPE:
                    stored = self._type(message.offset)
                elif message.kind == _LAYOUT:
                    layout = message
                elif message.kind == _FILTERS:
                    filters = filters_of(self._structures, message.offset)
                elif message.kind == _LINKS and self._is_dense(message):
                    self.unread.append(path)
            if stored is not None and space is not None:
                place = self._place(layout) if layout is not None else None
                chunks = self._chunks(layout, space, filters) if layout is not None else None
                self.datasets.append(
                    Dataset(path, stored.dtype, space, place, stored.is_big, chunks)
                )
            if depth > DEEPEST:
                detail = f"more than {DEEPEST} nested HDF5 groups"
                raise MalformedError("too-deep", detail, limit=DEEPEST)
            for name, child in sorted(links.items(), reverse=True):
                if child not in seen:
                    seen.add(child)
                    waiting.append((bounded(f"{path}/{name}" if path else name), child, depth + 1))

    def _table(self, message: _HeaderMessage) -> Mapping[str, int]:
        """Return the links of a group that is a tree of names."""
        tree, heap = self._number(message.offset, "Q"), self._number(message.offset + 8, "Q")
        self._expect(heap, b"HEAP")
        names, length = self._number(heap + 24, "Q"), self._number(heap + 8, "Q")
        found: dict[str, int] = {}
        waiting = [tree]
        while waiting:
            at = waiting.pop()
            self._count_block()
            if self._bytes(at, 4) == b"SNOD":
                for entry in range(self._number(at + 6, "H")):
                    place = at + 8 + 40 * entry
                    start = self._number(place, "Q")
                    found[self._name(names, start, length)] = self._number(place + 8, "Q")
            else:
                self._expect(at, b"TREE")
                children = range(self._number(at + 6, "H"))
                waiting += [self._number(at + 32 + 16 * child, "Q") for child in children]
        return found

    def _name(self, heap: int, start: int, length: int) -> str:
        if start >= length:
            raise MalformedError("corrupt", "the name of an HDF5 object is outside of its heap")
        room = min(length - start, 4096, self._source.size - self._base - heap - start)
        return self._bytes(heap + start, max(room, 0)).partition(b"\0")[0].decode(errors="replace")

    def _link(self, message: _HeaderMessage) -> Mapping[str, int]:
        """Return the link of a message; links to names and to other files are left out."""
        at, flags = message.offset + 2, self._number(message.offset + 1, "B")
        kind = self._number(at, "B") if flags & 8 else 0
        at += bool(flags & 8) + (8 if flags & 4 else 0) + bool(flags & 16)
        width = 1 << (flags & 3)
        length = self._number(at, "BHIQ"[flags & 3])
        name = self._bytes(at + width, min(length, 4096)).decode(errors="replace")
        return {name: self._number(at + width + length, "Q")} if kind == 0 else {}

    def _is_dense(self, message: _HeaderMessage) -> bool:
        """Return True for a group whose links are in a heap of their own."""
        flags = self._number(message.offset + 1, "B")
        return self._number(message.offset + 2 + (8 if flags & 1 else 0), "Q") != _ABSENT

    # Datasets

    def _dims(self, at: int) -> tuple[int, ...]:
        version, rank = self._number(at, "B"), self._number(at + 1, "B")
        if rank > HIGHEST_RANK:
            raise MalformedError("corrupt", f"{rank} dims, where {HIGHEST_RANK} are possible")
        start = at + (8 if version < 2 else 4)
        return tuple(self._number(start + 8 * axis, "Q") for axis in range(rank))

    def _type(self, at: int, depth: int = 0) -> _ElementType:
        kind, flags = self._number(at, "B") & 15, self._number(at + 1, "B")
        size = self._number(at + 4, "I")
        is_big, name, length = bool(flags & 1), "", 8
        if kind == _INTEGER:
            name, length = f"{'int' if flags & 8 else 'uint'}{8 * size}", 12
        elif kind == _FLOAT:
            mantissa, length = self._number(at + 8 + 7, "B"), 20
            name = "bfloat16" if (size, mantissa) == (2, 7) else f"float{8 * size}"
        elif kind == _OPAQUE and size == 2:
            name = "bfloat16"  # how Keras stores it
        elif kind == _ENUM and depth == 0:
            inner = self._type(at + 8, depth + 1)
            name = (
                "bool" if inner.size == 1 and self._number(at + 1, "H") == 2 else inner.dtype.name
            )
        elif kind == _VARIABLE:
            length = 8 + (self._type(at + 8, depth + 1).length if depth == 0 else 0)
        return _ElementType(kind, size, DTYPES.get(name, UNDEFINED), is_big, length)

    def _place(self, layout: _HeaderMessage) -> tuple[int, int] | None:
        version, kind = self._number(layout.offset, "B"), self._number(layout.offset + 1, "B")
        if version not in (3, 4):
            return None
        if kind == 0:
            return self._base + layout.offset + 4, self._number(layout.offset + 2, "H")
        start = self._number(layout.offset + 2, "Q")
        if kind != 1 or start == _ABSENT:
            return None
        return self._base + start, self._number(layout.offset + 10, "Q")

    def _chunks(
        self, layout: _HeaderMessage, shape: tuple[int, ...], filters: tuple[int, ...]
    ) -> Chunks | None:
        version, at = self._number(layout.offset, "B"), layout.offset
        kind = self._number(at + 1, "B") if version in (3, 4) else 0
        if kind != _CHUNKED or not are_readable(filters):
            return None
        found = chunks_of(self._structures, at, shape, filters)
        return found.moved(self._base) if found is not None and self._base else found

    # Attributes

    def _read_attributes(self, header: int) -> None:
        for message in self._messages(header):
            if message.kind == _ATTRIBUTE:
                name, text = self._attribute(message)
                if text is not None:
                    self.attributes[name] = text

    def _attribute(self, message: _HeaderMessage) -> tuple[str, str | None]:
        at = message.offset
        version = self._number(at, "B")
        sizes = [self._number(at + 2 + 2 * part, "H") for part in range(3)]
        at += 9 if version == 3 else 8
        padded = [-(-size // 8) * 8 if version == 1 else size for size in sizes]
        raw = self._bytes(at, sizes[0])
        stored, data = self._type(at + padded[0]), at + sum(padded)
        name = bounded(raw.partition(b"\0")[0].decode(errors="replace"))
        rank = self._number(at + padded[0] + padded[1] + 1, "B")
        return name, self._text(stored, data) if rank == 0 else None

    def _text(self, stored: _ElementType, at: int) -> str | None:
        if stored.kind == _TEXT:
            return self._decoded(at, stored.size)
        if stored.kind != _VARIABLE:
            return None
        length, heap = self._number(at, "I"), self._number(at + 4, "Q")
        wanted = self._number(at + 12, "I")
        self._expect(heap, b"GCOL")
        place, end = heap + 16, heap + self._number(heap + 8, "Q")
        while place + 16 <= end:
            self._count_block()
            index, size = self._number(place, "H"), self._number(place + 8, "Q")
            if index == wanted:
                return self._decoded(place + 16, min(length, size))
            if index == 0:
                break
            place += 16 + -(-size // 8) * 8
        return None

    def _decoded(self, at: int, length: int) -> str:
        if length > LONGEST_ATTRIBUTE:
            raise MalformedError("corrupt", f"an HDF5 attribute of {length} bytes")
        return self._bytes(at, length).partition(b"\0")[0].decode(errors="replace")
