"""Pieces that a runtime writes an operator out as before it shares a graph out.

Tables list them under `written-out`, in the order in which they run; the last one is the result:

[[written-out]]
op = "aten.matmul.default"
types = ["float32", "float16"]
pieces = [{ name = "first", reads = [0] }, { name = "product", after = ["first"], taken = true }]

A piece may be there for some `types` only, with `open` dims only, or only if the input at the place
`moved` has its dims in another order. What comes after one that is not there comes after what that
comes after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from modellint.base.records import dataclass


@dataclass(frozen=True, slots=True)
class OperatorPiece:
    """A part of an operator, which is computed on one unit."""

    name: str
    taken: bool
    """True if the accelerator takes it."""
    reads: frozenset[int] | None
    """Places of the node's inputs that it reads; None for all."""
    after: tuple[str, ...] = ()
    """Pieces that it reads."""


def is_whole(*, taken: bool) -> OperatorPiece:
    """Return the only piece of an operator that is not written out."""
    return OperatorPiece("", taken, None)


def pieces(
    written_out: Mapping[str, Any], dtype: str, is_moved: Callable[[int], bool], *, is_open: bool
) -> Sequence[OperatorPiece]:
    """Return the pieces of a node whose first input has some type."""
    found: list[OperatorPiece] = []
    instead: dict[str, tuple[frozenset[int], tuple[str, ...]]] = {}
    for stated in written_out["pieces"]:
        reads = frozenset(stated.get("reads", ()))
        after: tuple[str, ...] = ()
        for name in stated.get("after", ()):
            passed, before = instead.get(name, (frozenset(), (name,)))
            reads, after = reads | passed, after + before
        is_here = (
            dtype in stated.get("types", (dtype,))
            and (is_open or not stated.get("open", False))
            and ("moved" not in stated or is_moved(stated["moved"]))
        )
        if is_here:
            found.append(OperatorPiece(stated["name"], stated.get("taken", False), reads, after))
        else:
            instead[stated["name"]] = reads, after
    return found
