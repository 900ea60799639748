"""Stored tensors: type, shape and location of the bytes, which are read only on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from modellint.base.records import dataclass
from modellint.model.dims import product
from modellint.model.dtypes import DType

if TYPE_CHECKING:
    from array import array

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Region:
    """Location of a tensor's bytes: a slice of a file."""

    path: Path
    offset: int
    length: int
    external: bool = False


@dataclass(frozen=True, slots=True)
class Tensor:
    """A stored tensor.

    `read` loads the elements; it is None when the
    bytes are not available, for example because an external file is missing, and returns None
    when reading fails. `small` says that the bytes are already in memory: reading is free.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    nbytes: int
    region: Region | None = None
    small: bool = False
    read: Callable[[], NDArray[np.generic] | None] | None = field(
        default=None, repr=False, compare=False
    )
    read_plain: Callable[[], array[int] | array[float]] | None = field(
        default=None, repr=False, compare=False
    )
    """For small tensors of a type that Python knows itself: spares the import of numpy."""
    read_parts: Callable[[Iterable[tuple[int, int]]], Iterator[NDArray[np.generic]]] | None = field(
        default=None, repr=False, compare=False
    )
    """For elements that are stored raw: reads ranges of them without the others."""

    @property
    def elements(self) -> int:
        return product(self.shape)

    def numpy(self) -> NDArray[np.generic] | None:
        """Return the elements in `shape`, or None if they cannot be read."""
        return self.read() if self.read is not None else None

    def parts(self, ranges: Iterable[tuple[int, int]]) -> Iterator[NDArray[np.generic]]:
        """Iterate over ranges of the elements in order; ends early if they cannot be read."""
        if self.read_parts is not None:
            yield from self.read_parts(ranges)
            return
        stored = self.numpy()
        if stored is not None:
            flat = stored.reshape(-1)
            yield from (flat[start:stop] for start, stop in ranges)

    def pieces(self, length: int) -> Iterator[NDArray[np.generic]]:
        """Iterate over all elements in order, in pieces of at most that many."""
        yield from self.parts(
            (start, min(start + length, self.elements)) for start in range(0, self.elements, length)
        )

    def if_small(self) -> NDArray[np.generic] | None:
        """Return the elements if they are in memory: shape arguments, scales, zero points."""
        return self.numpy() if self.small else None

    def plain(self) -> array[int] | array[float] | None:
        """Return the elements in order without numpy, if they are in memory."""
        return self.read_plain() if self.read_plain is not None else None

    def small_numbers(self) -> Sequence[float]:
        """Return the elements in order if they are in memory, else nothing."""
        elements = self.plain() if self.small else None
        if elements is not None:
            return elements
        stored = self.if_small()
        return stored.reshape(-1).tolist() if stored is not None else ()

    def small_integers(self) -> tuple[int, ...] | None:
        """Return the elements in order if they are integers in memory: without numpy, as a rule."""
        if not self.small or not self.dtype.is_integer:
            return None
        elements = self.plain()
        if elements is not None:
            return tuple(map(int, elements))
        stored = self.if_small()
        return tuple(map(int, stored.reshape(-1))) if stored is not None else None

    def small_bytes(self) -> bytes | None:
        """Return the bytes of elements that are in memory and are not objects."""
        elements = self.plain()
        if elements is not None:
            return elements.tobytes()
        stored = self.if_small()
        return stored.tobytes() if stored is not None and not stored.dtype.hasobject else None
