"""Buffers of TFLite files, and the tensors whose numbers lie in them.

A buffer is a vector in the flatbuffer; past 2 GB, where no offset reaches, it is a place after
the flatbuffer; and it can be a place in another file.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from modellint.base.files import regular_size
from modellint.base.paths import leaves_lexically
from modellint.base.text import bounded
from modellint.formats.elements import decoded
from modellint.formats.flatbuffer import FlatTable, Span
from modellint.formats.problems import Problems
from modellint.formats.stored import StoredTensors, mistake_in, possible
from modellint.formats.tflite.facts import Buffers
from modellint.model import DTYPES, DType, Region, Tensor, product

SMALL = 4096
"""Maximum size of tensors that are kept: shapes, axes, paddings."""
NOWHERE = 1
"""Offset of a buffer that its writer was to move out of the flatbuffer, and did not."""


class BufferReader(StoredTensors):
    """Finds the numbers of tensors, and records tensors whose numbers do not fit."""

    def __init__(self, root: FlatTable, problems: Problems, path: Path) -> None:
        super().__init__(problems)
        self._path = path
        self._tables = list(root.tables(4))
        self._groups = [bounded(each.text(0)) for each in root.tables(8)]
        self._elsewhere = {each.number(0, "I"): each for each in root.tables(9)}
        self._places = [_place(each) for each in self._tables]
        self._used: set[int] = set()
        self._shared: dict[tuple[int, DType, tuple[int, ...]], Tensor] = {}
        self.tensors: list[Tensor] = []
        self.external_files: list[Path] = []

    def tensor(
        self, table: FlatTable, name: str, dtype: DType, shape: tuple[int, ...], *, is_sparse: bool
    ) -> Tensor | None:
        """Return the stored data of a tensor; None for a computed one."""
        elsewhere = table.number(10, "I")
        if elsewhere:
            return self._external(name, dtype, shape, elsewhere)
        index = table.number(2, "I")
        if index >= len(self._tables):
            self.problems.note(
                "invalid-reference", at=name, detail=f"buffer {index} in tensor '{name}'"
            )
            return None
        self._used.add(index)
        place = self._places[index]
        if place is None or not place.length:
            return None
        key = (index, dtype, shape)
        if key not in self._shared:
            stored = self._stored(table, name, dtype, shape, place, is_sparse=is_sparse)
            self._shared[key] = stored
            self.tensors.append(stored)
        return self._shared[key]

    def _stored(
        self,
        table: FlatTable,
        name: str,
        dtype: DType,
        shape: tuple[int, ...],
        place: Span,
        *,
        is_sparse: bool,
    ) -> Tensor:
        mistake = mistake_in(shape)
        region = Region(self._path, *place)
        if mistake:
            self.invalid(name, dtype, shape, detail=mistake)
            return Tensor(name, dtype, possible(shape), place.length, region)
        if is_sparse or dtype.kind == "string":
            return Tensor(name, dtype, shape, place.length, region)
        expected = dtype.nbytes(product(shape))
        if expected > place.length:
            self.invalid(name, dtype, shape, expected, place.length)
            return Tensor(name, dtype, shape, place.length, region)
        region = Region(self._path, place.offset, expected)  # there may be padding
        if expected > SMALL:
            return self.raw(name, dtype, shape, region)
        table.buffer.charge(expected)
        read = partial(decoded, table.buffer.read(place.offset, expected), dtype, shape)
        return Tensor(name, dtype, shape, expected, region, small=True, read=read)

    def _external(self, name: str, dtype: DType, shape: tuple[int, ...], key: int) -> Tensor | None:
        table = self._elsewhere.get(key)
        group = table.number(1, "I") if table is not None else 0
        if table is None or group >= len(self._groups):
            detail = f"external buffer {key} in tensor '{name}'"
            self.problems.note("invalid-reference", at=name, detail=detail)
            return None
        location, place = self._groups[group], Span(table.number(2, "Q"), table.number(3, "Q"))
        tensor = Tensor(name, dtype, possible(shape), place.length)
        facts = {"location": location, "tensors": 1, "tensor": name, "bytes": place.length}
        reason = leaves_lexically(location)
        path = self._path.parent / location
        size = None if reason or "\0" in location else regular_size(path)
        if reason:
            self.problems.note("external-outside", at=name, **facts, reason=reason)
        elif size is None:
            self.problems.note("external-missing", at=name, **facts)
        elif sum(place) > size:
            self.problems.note("external-short", at=name, **facts, expected=sum(place), size=size)
        elif not mistake_in(shape) and dtype.nbytes(product(shape)) == place.length:
            tensor = self.raw(name, dtype, shape, Region(path, *place, external=True))
        if not reason and path not in self.external_files:
            self.external_files.append(path)
        self.tensors.append(tensor)
        return tensor

    def blob(self, index: int, name: str) -> Tensor | None:
        """Return a buffer that an entry of the metadata refers to."""
        if index >= len(self._tables):
            detail = f"buffer {index} in the metadata '{name}'"
            self.problems.note("invalid-reference", detail=detail)
            return None
        self._used.add(index)
        place = self._places[index]
        if place is None:
            return None
        return self.raw(name, DTYPES["uint8"], (place.length,), Region(self._path, *place))

    def facts(self) -> Buffers:
        lengths = [place.length if place is not None else 0 for place in self._places]
        unused = [length for at, length in enumerate(lengths) if length and at not in self._used]
        beyond = sum(each.number(1, "Q") > NOWHERE for each in self._tables)
        return Buffers(len(lengths), sum(unused), len(unused), beyond)


def _place(table: FlatTable) -> Span | None:
    inside = table.span(0)
    offset, size = table.number(1, "Q"), table.number(2, "Q")
    if inside is not None and inside.length:
        return inside
    if offset > NOWHERE and size:
        table.buffer.source.require(offset, size, "a buffer after the flatbuffer")
        return Span(offset, size)
    return None
