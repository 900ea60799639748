"""Partitions as links of a chain: where each one's inputs come from, and where its results go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modellint.base.records import dataclass
from modellint.placement.placed import Boundary, Partition, UnitPlacement


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """A partition with its neighbors on other units."""

    partition: Partition
    before: tuple[Partition, ...]
    """Partitions that compute what it reads."""
    after: tuple[Partition, ...]
    """Partitions that read what it computes."""
    nbytes: int | None
    """Bytes copied to and from it in a run; None if unknown."""


def links(found: UnitPlacement) -> Iterator[Link]:
    """Iterate over all partitions, in order."""
    home = {id(node): part for part in found.partitions for node in part.nodes}
    entering: dict[int, list[Boundary]] = {}
    leaving: dict[int, list[Boundary]] = {}
    for boundary in found.boundaries:
        producer = boundary.value.producer
        if producer is None or id(producer) not in home:  # no unit runs it
            continue
        leaving.setdefault(id(home[id(producer)]), []).append(boundary)
        for reader in {id(each): each for each in _readers(boundary, home)}.values():
            entering.setdefault(id(reader), []).append(boundary)
    for part in found.partitions:
        enters, leaves = entering.get(id(part), []), leaving.get(id(part), [])
        yield Link(
            part,
            _distinct(home[id(each.value.producer)] for each in enters),
            _distinct(reader for each in leaves for reader in _readers(each, home)),
            _total([*enters, *leaves]),
        )


def _readers(boundary: Boundary, home: dict[int, Partition]) -> list[Partition]:
    """Return the partitions of other units that read a value."""
    parts = [home[id(use.node)] for use in boundary.value.consumers if id(use.node) in home]
    return [part for part in parts if part.unit != boundary.source]


def _distinct(parts: Iterator[Partition]) -> tuple[Partition, ...]:
    return tuple({id(part): part for part in parts}.values())


def _total(boundaries: Sequence[Boundary]) -> int | None:
    sizes = {id(each.value): each.nbytes for each in boundaries}.values()
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None
