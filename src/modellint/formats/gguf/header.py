"""The header of a GGUF file: metadata, and names, types, shapes and places of tensors.

Nothing is trusted: each count is limited, and each length compared with the file's size before
anything is allocated. Arrays stay in the file, since a vocabulary has hundreds of thousands of
texts; only their lengths are walked.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path

from modellint.base.records import dataclass
from modellint.base.text import bounded
from modellint.formats.problems import MalformedError
from modellint.formats.source import Source

MAGIC = b"GGUF"
OLD_MAGICS = {b"lmgg": "GGML", b"fmgg": "GGMF", b"tjgg": "GGJT"}
"""Formats before GGUF, which llama.cpp stopped reading in August 2023."""
OLDEST, NEWEST = 2, 3
"""Versions that llama.cpp reads."""
ALIGNMENT = 32

MOST_ENTRIES = 1 << 16
MOST_TENSORS = 1 << 17
MOST_TEXTS = 1 << 22
"""Limit on the texts in all arrays of a file: five times as many as the largest vocabularies have
with their merges."""
MOST_DIMS = 64
DEEPEST = 4
"""Limit on arrays in arrays; no writer nests any."""
LONGEST_TEXT = 1 << 20
LONGEST_KEY = 1 << 16
MOST_KEPT = 1 << 25
"""Limit on the bytes of all texts that are kept: names and metadata."""
MOST_READ = 1 << 26
"""Limit on the bytes of an array to read whole."""
PIECE = 1 << 20

UINT8, INT8, UINT16, INT16, UINT32, INT32, FLOAT32, BOOL, TEXT, ARRAY, UINT64, INT64, FLOAT64 = (
    range(13)
)
CODES = "BbHhIif?  Qqd"
"""Codes of the struct module by the number of a value's type."""
TYPE_NAMES = "u8 i8 u16 i16 u32 i32 f32 bool str arr u64 i64 f64".split()


@dataclass(frozen=True, slots=True)
class Array:
    """An array in the metadata; its elements stay in the file."""

    path: Path
    order: str
    type: int
    """Type of the elements."""
    count: int
    start: int
    length: int
    """Bytes of all elements."""

    def numbers(self, most: int) -> list[int | float]:
        """Return at most the first `most` elements; none if they are something else."""
        if self.type in (TEXT, ARRAY):
            return []
        layout = struct.Struct(f"{self.order}{min(self.count, most)}{CODES[self.type]}")
        try:
            with Source(self.path) as source:
                return list(layout.unpack(source.read(self.start, layout.size)))
        except (OSError, MalformedError):  # the file has changed
            return []

    def texts(self, most: int) -> Iterator[str]:
        """Iterate over at most the first `most` elements; none if they are something else."""
        if self.type != TEXT:
            return
        try:
            with Source(self.path) as source:
                reader = _Reader(source, self.order, self.start)
                for _ in range(min(self.count, most)):
                    yield reader.text(LONGEST_TEXT)
        except (OSError, MalformedError):  # the file has changed, or its texts are too long
            return

    def raw_texts(self) -> list[bytes]:
        """Return all texts as bytes; none if they are something else, or very long."""
        if self.type != TEXT or self.length > MOST_READ:
            return []
        try:
            with Source(self.path) as source:
                raw = source.read(self.start, self.length)
        except (OSError, MalformedError):  # the file has changed
            return []
        length_at = struct.Struct(self.order + "Q").unpack_from
        texts, at = [], 0
        while at < len(raw):
            end = at + 8 + length_at(raw, at)[0]
            texts.append(raw[at + 8 : end])
            at = end
        return texts

    @property
    def is_text(self) -> bool:
        return self.type == TEXT

    def __str__(self) -> str:
        what = "texts" if self.is_text else f"{TYPE_NAMES[self.type]} values"
        return f"[{self.count} {what}]"


Metadatum = int | float | bool | str | Array


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the metadata, with the type that it is stored as."""

    type: int
    value: Metadatum

    @property
    def type_name(self) -> str:
        return TYPE_NAMES[self.type]


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor as the file states it, right or wrong."""

    name: str
    type: int
    dims: tuple[int, ...]
    """As stored: the dim of a row first."""
    offset: int
    """From the start of the data."""

    @property
    def shape(self) -> tuple[int, ...]:
        return self.dims[::-1]


@dataclass(frozen=True, slots=True)
class GgufFile:
    """The header of a file that is a whole model or a part of one."""

    path: Path
    size: int
    version: int
    order: str
    """Byte order, as in the struct module."""
    entries: Mapping[str, Entry]
    repeated: tuple[str, ...]
    """Keys that occur again."""
    tensors: tuple[StoredTensor, ...]
    start: int
    """Start of the data."""
    stated_alignment: int | None = field(default=None)

    @property
    def is_big_endian(self) -> bool:
        return self.order == ">"

    @property
    def alignment(self) -> int:
        return usable_alignment(self.stated_alignment)


def usable_alignment(stated: int | None) -> int:
    """Return the alignment, or the usual one if none can be meant."""
    if stated is None or stated <= 0 or stated & (stated - 1):
        return ALIGNMENT
    return stated


def read_file(path: Path) -> GgufFile:
    """Read a file's header. Raises MalformedError and OSError."""
    with Source(path) as source:
        order, version = _version(source)
        reader = _Reader(source, order, 8)
        tensor_count = reader.count("tensors", MOST_TENSORS)
        entry_count = reader.count("entries of metadata", MOST_ENTRIES)
        entries: dict[str, Entry] = {}
        repeated = []
        for _ in range(entry_count):
            key = bounded(reader.text(LONGEST_KEY))
            entry = reader.entry()
            if key in entries:
                repeated.append(key)
            else:
                entries[key] = entry
        tensors = tuple(reader.tensor() for _ in range(tensor_count))
        stated = _stated_alignment(entries)
        alignment = usable_alignment(stated)
        start = -(-reader.at // alignment) * alignment
        return GgufFile(
            path, source.size, version, order, entries, tuple(repeated), tensors, start, stated
        )


def _version(source: Source) -> tuple[str, int]:
    """Return the byte order and the version; the version is small only in the right order."""
    raw = source.read(0, 8, "its header")
    if raw[:4] in OLD_MAGICS:
        detail = f"{OLD_MAGICS[raw[:4]]}, which llama.cpp no longer reads"
        raise MalformedError("unsupported-format", detail, format="GGUF", part="outdated")
    little = int.from_bytes(raw[4:], "little")
    order = ">" if little & 0xFFFF == 0 else "<"
    version = int.from_bytes(raw[4:], "big") if order == ">" else little
    if not OLDEST <= version <= NEWEST:
        facts = {"part": "outdated"} if version == 1 else {}
        age = "which llama.cpp no longer reads" if facts else "which is not known"
        detail = f"version {version}, {age}"
        raise MalformedError("unsupported-format", detail, format="GGUF", **facts)
    return order, version


def _stated_alignment(entries: Mapping[str, Entry]) -> int | None:
    entry = entries.get("general.alignment")
    return entry.value if entry is not None and type(entry.value) is int else None


class _Reader:
    """Reads one thing after the other."""

    def __init__(self, source: Source, order: str, at: int) -> None:
        self.source = source
        self.order = order
        self.at = at
        self._texts = 0
        self._kept = 0

    def number(self, code: str) -> int:
        number = self.source.number(self.at, self.order + code, "its header")
        self.at += struct.calcsize(code)
        return number

    def count(self, what: str, most: int) -> int:
        count = self.number("Q")
        if count > most:
            detail = f"{count:,} {what}, where {most:,} are possible"
            raise MalformedError("corrupt", detail, offset=self.at)
        return count

    def text(self, longest: int) -> str:
        """Read a text; of a longer one, its beginning."""
        length = self.number("Q")
        self.source.require(self.at, length, "its header")
        kept = min(length, longest)
        self._kept += kept
        if self._kept > MOST_KEPT:
            detail = f"more than {MOST_KEPT:,} bytes of names and metadata"
            raise MalformedError("corrupt", detail, offset=self.at)
        raw = self.source.read(self.at, kept)
        self.at += length
        return raw.decode(errors="backslashreplace")

    def entry(self) -> Entry:
        kind = self._kind()
        if kind == TEXT:
            return Entry(kind, self.text(LONGEST_TEXT))
        if kind == ARRAY:
            return Entry(kind, self._array(1))
        layout = struct.Struct(self.order + CODES[kind])
        (value,) = layout.unpack(self.source.read(self.at, layout.size, "its header"))
        self.at += layout.size
        return Entry(kind, value)

    def _kind(self) -> int:
        at = self.at
        kind = self.number("I")
        if kind >= len(CODES):
            raise MalformedError("corrupt", f"metadata of unknown type {kind}", offset=at)
        return kind

    def _array(self, depth: int) -> Array:
        if depth > DEEPEST:
            raise MalformedError("too-deep", "arrays in its metadata", limit=DEEPEST)
        kind = self._kind()
        count = self.number("Q")
        start = self.at
        if kind == TEXT:
            self._pass_texts(count)
        elif kind == ARRAY:
            self._reckon(count)
            for _ in range(count):
                self._array(depth + 1)
        else:
            length = count * struct.calcsize(CODES[kind])
            self.source.require(self.at, length, "its header")
            self.at += length
        return Array(self.source.path, self.order, kind, count, start, self.at - start)

    def _pass_texts(self, count: int) -> None:
        """Skip that many texts: only their lengths are looked at."""
        self._reckon(count)
        self.source.require(self.at, 8 * count, "its header")
        length_at = struct.Struct(self.order + "Q").unpack_from
        while count:
            piece = self.source.read(self.at, min(PIECE, self.source.size - self.at))
            place, last = 0, len(piece) - 8
            while count and place <= last:
                place += 8 + length_at(piece, place)[0]
                count -= 1
            if not place:
                place = 8  # not even a length is left: `require` says so
            self.source.require(self.at, place, "its header")
            self.at += place

    def _reckon(self, count: int) -> None:
        """Count elements that take time each."""
        self._texts += count
        if self._texts > MOST_TEXTS:
            detail = f"arrays of more than {MOST_TEXTS:,} texts in its metadata"
            raise MalformedError("corrupt", detail, offset=self.at)

    def tensor(self) -> StoredTensor:
        name = bounded(self.text(LONGEST_KEY))
        rank = self.number("I")
        if rank > MOST_DIMS:
            detail = f"a tensor of {rank:,} dims"
            raise MalformedError("corrupt", detail, offset=self.at)
        dims = tuple(self.number("q") for _ in range(rank))
        return StoredTensor(name, self.number("I"), dims, self.number("Q"))
