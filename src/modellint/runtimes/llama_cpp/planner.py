"""Placement of a graph's tensors in one buffer, in the way of ggml's graph allocator.

A tensor takes the smallest gap that holds it, and leaves one when its last reader has run. The
operators that can write over their input do so if nothing else reads it.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import field

from modellint.base.records import dataclass

ALIGNMENT = 64


@dataclass(slots=True)
class Planned:
    """A tensor of the graph; a size of 0 marks one that lies elsewhere, such as in the cache."""

    size: int
    sources: tuple[Planned, ...] = ()
    overwrites: bool = False
    """True if the operator can write over an input of the same size."""
    is_input: bool = False
    readers: int = 0
    offset: int | None = None


@dataclass(slots=True)
class GraphPlan:
    """A graph as it is built: tensors in the order in which they are computed."""

    tensors: list[Planned] = field(default_factory=list)

    def input(self, size: int) -> Planned:
        return self._add(Planned(size, is_input=True))

    def compute(self, size: int, *sources: Planned, overwrites: bool = False) -> Planned:
        """Add a tensor that is computed from others."""
        return self._add(Planned(size, sources, overwrites))

    def update(self, source: Planned, size: int | None = None) -> Planned:
        """Add what is computed element by element from a tensor, over it where possible."""
        return self.compute(source.size if size is None else size, source, overwrites=True)

    def keep(self, tensor: Planned) -> Planned:
        """Keep a tensor to the end."""
        tensor.readers += 1
        return tensor

    def _add(self, tensor: Planned) -> Planned:
        for source in tensor.sources:
            source.readers += 1
        self.tensors.append(tensor)
        return tensor

    def nbytes(self) -> int:
        """Return the size of the buffer that holds the graph."""
        room = _Room()
        for tensor in self.tensors:
            if tensor.is_input:
                tensor.offset = room.take(tensor.size)
        for tensor in self.tensors:
            if not tensor.is_input and tensor.size:
                tensor.offset = self._place(tensor, room)
            for source in tensor.sources:
                source.readers -= 1
                if not source.readers and source.offset is not None:
                    room.give(source.offset, source.size)
                    source.offset = None
        return room.most

    def _place(self, tensor: Planned, room: _Room) -> int:
        for source in tensor.sources if tensor.overwrites else ():
            if source.readers == 1 and source.size == tensor.size and source.offset is not None:
                offset, source.offset = source.offset, None
                return offset
        return room.take(tensor.size)


_ENDLESS = 1 << 400
"""More than any product of sizes that a file can state."""


class _Room:
    """Gaps of a buffer, of which the last is endless."""

    def __init__(self) -> None:
        self.gaps: list[tuple[int, int]] = [(0, _ENDLESS)]
        self.most = 0

    def take(self, size: int) -> int:
        size = _aligned(size)
        fitting = [(length, -at) for at, (_, length) in enumerate(self.gaps[:-1]) if length >= size]
        at = -min(fitting)[1] if fitting else len(self.gaps) - 1
        offset, length = self.gaps.pop(at)
        if length > size:
            self.gaps.insert(at, (offset + size, length - size))
        self.most = max(self.most, offset + size)
        return offset

    def give(self, offset: int, size: int) -> None:
        insort(self.gaps, (offset, _aligned(size)))
        merged: list[tuple[int, int]] = []
        for start, length in self.gaps:
            if merged and sum(merged[-1]) == start:
                merged[-1] = (merged[-1][0], merged[-1][1] + length)
            else:
                merged.append((start, length))
        self.gaps = merged


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
