"""A stored weight: what it is and where its bytes lie. The bytes are read only on request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from modellint.base.records import dataclass
from modellint.model.dtypes import DType

if TYPE_CHECKING:
    from array import array

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Region:
    """Where a tensor's bytes lie: a slice of a file."""

    path: Path
    offset: int
    length: int
    external: bool = False


@dataclass(frozen=True, slots=True)
class Tensor:
    """One stored tensor.

    `read` loads the elements (memory-mapped where they are stored raw); it is None when the
    bytes cannot be had, for example because an external file is missing, and returns None
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

    @property
    def elements(self) -> int:
        return prod(self.shape)

    def numpy(self) -> NDArray[np.generic] | None:
        """The elements in `shape`, or None when they cannot be read."""
        return self.read() if self.read is not None else None

    def if_small(self) -> NDArray[np.generic] | None:
        """The elements when they cost nothing to read: shape arguments, scales, zero points."""
        return self.numpy() if self.small else None

    def plain(self) -> array[int] | array[float] | None:
        """The elements in order without numpy, when they cost nothing to read."""
        return self.read_plain() if self.read_plain is not None else None

    def small_bytes(self) -> bytes | None:
        """What the elements are as bytes, when they cost nothing to read and are no objects."""
        elements = self.plain()
        if elements is not None:
            return elements.tobytes()
        stored = self.if_small()
        return stored.tobytes() if stored is not None and not stored.dtype.hasobject else None
