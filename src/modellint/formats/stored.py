"""Tensors whose elements are stored consecutively in a file, little-endian."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from modellint.base.errors import reason_of
from modellint.formats.elements import decoded, from_raw, read_range, read_ranges
from modellint.formats.problems import Problems
from modellint.model import HIGHEST_RANK, DType, Region, Tensor, format_shape, product

if TYPE_CHECKING:
    from modellint.formats.elements import Array


MOST_KEPT = 16 << 20
"""Bytes of small tensors that stay in memory: tensors of a few bytes each may share a place."""


class StoredTensors:
    """Creates the tensors of a model, and records those with invalid data."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self._kept = 0

    def raw(self, name: str, dtype: DType, shape: tuple[int, ...], region: Region) -> Tensor:
        """Return a tensor that is read from its region on demand."""
        parts = partial(self._read_parts, region, dtype) if dtype.block == 1 else None
        read = partial(self.read_raw, region, dtype, shape)
        nbytes = dtype.nbytes(product(shape))
        return Tensor(name, dtype, shape, nbytes, region, read=read, read_parts=parts)

    def at_hand(self, tensor: Tensor) -> Tensor:
        """Return a tensor of few elements, which are read once and then kept."""
        read = tensor.read
        if read is not None and self._kept + tensor.nbytes <= MOST_KEPT:
            self._kept += tensor.nbytes
            read = cache(read)
        return replace(tensor, small=True, read=read)

    def read_raw(self, region: Region, dtype: DType, shape: tuple[int, ...]) -> Array | None:
        try:
            content = read_range(region.path, region.offset, region.length)
        except OSError as error:
            self.changed(region.path, error)
            return None
        return decoded(content, dtype, shape)

    def _read_parts(
        self, region: Region, dtype: DType, ranges: Iterable[tuple[int, int]]
    ) -> Iterator[Array]:
        wanted = list(ranges)
        places = (_place(region, dtype, start, stop) for start, stop in wanted)
        try:
            for (start, stop), buffer in zip(
                wanted, read_ranges(region.path, places), strict=False
            ):
                skipped = start - _first_readable(dtype, start)
                yield from_raw(buffer, dtype, (skipped + stop - start,))[skipped:]
        except OSError as error:
            self.changed(region.path, error)

    def changed(self, path: Path, error: OSError) -> None:
        """Record once that a file has changed since it was opened."""
        if not any(problem.kind == "unreadable" for problem in self.problems):
            detail = f"{path.name} changed while it was read ({reason_of(error)})"
            self.problems.note("unreadable", detail=detail)

    def invalid(
        self,
        name: str,
        dtype: DType,
        shape: tuple[int, ...],
        expected: int | None = None,
        found: int | None = None,
        unit: str = "bytes",
        detail: str = "",
    ) -> None:
        """Record a tensor whose data do not fit its type and shape."""
        self.problems.note(
            "invalid-tensor",
            at=name,
            tensor=name,
            dtype=dtype.name,
            shape=format_shape(shape[:HIGHEST_RANK]),
            expected=expected,
            found=found,
            unit=unit,
            detail=detail or f"{found} {unit} of data where its type and shape need {expected}",
        )


def _first_readable(dtype: DType, start: int) -> int:
    """Return the last element up to `start` at which a byte begins."""
    return start if dtype.bits >= 8 else start - start % 8


def _place(region: Region, dtype: DType, start: int, stop: int) -> tuple[int, int]:
    """Return the offset and length of the bytes with some of the elements."""
    bits = int(dtype.bits)
    first, end = _first_readable(dtype, start) * bits // 8, -(-stop * bits // 8)
    return region.offset + first, end - first


def mistake_in(shape: Sequence[int]) -> str:
    """Say why no tensor has this shape; empty if one may have it."""
    if len(shape) > HIGHEST_RANK:
        return f"{len(shape)} dims, where {HIGHEST_RANK} are possible"
    return "a negative dim" if any(dim < 0 for dim in shape) else ""


def possible(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the nearest shape that a tensor may have."""
    return tuple(max(dim, 0) for dim in shape[:HIGHEST_RANK])
