"""Constants of an OpenVINO model: ranges of the file of weights next to it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellint.base.files import read_regular, regular_size
from modellint.formats.elements import read_range
from modellint.formats.problems import Problems
from modellint.formats.signatures import lfs_facts
from modellint.formats.stored import StoredTensors, mistake_in, possible
from modellint.model import DType, Region, Tensor, product

if TYPE_CHECKING:
    from modellint.formats.elements import Array

SMALL = 4096
"""Constants up to this size are read where their elements matter: shapes, scales, zero points."""
LONGEST_POINTER = 1024
LEFTOVER_BYTES, LEFTOVER_SHARE = 1 << 20, 0.1
"""Minimum that no constant uses, absolute and relative, to report."""
NOT_PACKED_IN_ORDER = frozenset({"uint3", "uint6"})
"""Types whose bits are spread over several bytes."""


class WeightsFile(StoredTensors):
    """The file of weights. Of it, only the size is read, and what may be a Git LFS pointer."""

    def __init__(self, model: Path, problems: Problems) -> None:
        super().__init__(problems)
        self.path = model.with_suffix(".bin")
        self.size = regular_size(self.path)
        self.tensors: list[Tensor] = []
        self._wanted = self._end = 0
        self._ranges: list[tuple[int, int]] = []
        self._first = ""

    @property
    def is_needed(self) -> bool:
        return self._end > 0

    def constant(
        self, name: str, dtype: DType, shape: tuple[int, ...], offset: int, length: int
    ) -> Tensor:
        """Return the tensor of `length` bytes at an offset, if they are there."""
        tensor = self._constant(name, dtype, shape, offset, length)
        self.tensors.append(tensor)
        return tensor

    def _constant(
        self, name: str, dtype: DType, shape: tuple[int, ...], offset: int, length: int
    ) -> Tensor:
        mistake = mistake_in(shape) or ("a negative place in the file" if offset < 0 else "")
        needed = dtype.nbytes(product(possible(shape)))
        if mistake:
            self.invalid(name, dtype, shape, detail=mistake)
            return Tensor(name, dtype, possible(shape), 0)
        if length < needed:
            self.invalid(name, dtype, shape, needed, max(length, 0))
            return Tensor(name, dtype, shape, needed)
        self._wanted += length
        self._ranges.append((offset, offset + length))
        self._end = max(self._end, offset + length)
        self._first = self._first or (name if length else "")
        if self.size is None or offset + length > self.size:
            return Tensor(name, dtype, shape, needed)
        region = Region(self.path, offset, needed, external=True)
        return self._readable(name, dtype, shape, region)

    def _readable(self, name: str, dtype: DType, shape: tuple[int, ...], region: Region) -> Tensor:
        if dtype.kind == "string" or dtype.name in NOT_PACKED_IN_ORDER:
            return Tensor(name, dtype, shape, region.length, region)
        if dtype.name == "uint1":
            read = partial(self._read_bits, region, shape)
            return Tensor(name, dtype, shape, region.length, region, read=read)
        stored = self.raw(name, dtype, shape, region)
        return stored if region.length > SMALL else self.at_hand(stored)

    def _read_bits(self, region: Region, shape: tuple[int, ...]) -> Array | None:
        """Unpack bits, which OpenVINO stores highest first."""
        import numpy as np

        try:
            packed = np.frombuffer(
                read_range(region.path, region.offset, region.length), dtype=np.uint8
            )
        except OSError as error:
            self.changed(region.path, error)
            return None
        return np.unpackbits(packed)[: product(shape)].reshape(shape)

    def report(self) -> None:
        """Record the problems of the weight file."""
        if not self.is_needed:
            return
        facts: dict[str, Any] = {
            "location": self.path.name,
            "tensors": sum(tensor.nbytes > 0 for tensor in self.tensors),
            "tensor": self._first,
            "bytes": self._wanted,
        }
        if self.size is None:
            self.problems.note("external-missing", **facts)
        elif self._end > self.size:
            pointer = self._pointer()
            if pointer is not None:
                self.problems.note("lfs-pointer", **pointer, location=self.path.name)
            else:
                self.problems.note("external-short", **facts, expected=self._end, size=self.size)
        elif self._unused(self.size) > max(LEFTOVER_BYTES, self.size * LEFTOVER_SHARE):
            self.problems.note(
                "external-leftover",
                location=self.path.name,
                unused=self._unused(self.size),
                size=self.size,
                part="range",
            )

    def _unused(self, size: int) -> int:
        """Return the bytes of the file that no constant has."""
        covered = reached = 0
        for start, end in sorted(self._ranges):
            covered += max(0, end - max(start, reached))
            reached = max(reached, end)
        return size - covered

    def _pointer(self) -> Mapping[str, Any] | None:
        if self.size is None or self.size > LONGEST_POINTER:
            return None
        try:
            return lfs_facts(read_regular(self.path, LONGEST_POINTER))
        except OSError:
            return None
