"""Pads that repeat or mirror their input, as rows that Slices could take from it."""

from __future__ import annotations

from collections.abc import Sequence

from modellint.analysis.folding import folding
from modellint.base.records import dataclass
from modellint.model import Node, small_integers
from modellint.targets.deployment import Deployment

MOST_ROWS = 32
"""Most rows that are still worth one Slice each."""


@dataclass(frozen=True, slots=True)
class Border:
    """The rows that a Pad adds along an axis, by their places in its input.

    Negative places count from the end.
    """

    axis: int
    before: tuple[int, ...]
    after: tuple[int, ...]


def borders(pad: Node) -> tuple[Border, ...] | None:
    """Return all rows that a Pad adds; None if they are others, too many, or not known."""
    mode = pad.get_str("mode", "constant")
    pads = _pads(pad)
    if mode not in ("reflect", "edge") or not pads or min(pads) < 0 or sum(pads) > MOST_ROWS:
        return None
    axes = range(len(pads) // 2)
    found = (_border(mode, axis, pads[axis], pads[axis + len(axes)]) for axis in axes)
    return tuple(each for each in found if each.before or each.after)


def _pads(pad: Node) -> list[int]:
    """Return the padding before all axes, then after all axes; empty if unknown."""
    source = pad.input(0)
    if pad.input(3) is not None or source is None or source.shape is None:
        return []
    given = pad.input(1)
    pads: Sequence[int] | None
    pads = pad.get_ints("pads") if given is None else small_integers(given)
    if pads is None and given is not None:  # PyTorch's first exporter computes them
        pads = folding(pad.graph.model, Deployment()).integers(given)
    return list(pads) if pads and len(pads) == 2 * len(source.shape) else []


def _border(mode: str, axis: int, before: int, after: int) -> Border:
    if mode == "edge":
        return Border(axis, (0,) * before, (-1,) * after)
    return Border(axis, tuple(range(before, 0, -1)), tuple(range(-2, -2 - after, -1)))
