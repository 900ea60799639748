"""Padding that operators add at both ends of each axis, and crops that they cut off."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from modellint.model import Node, small_integers

Numbers = tuple[int, ...]


def padding_of(pad: Node) -> Numbers | None:
    """Return the padding before all axes, then after all; None if unknown."""
    source, reader = pad.input(0), _READERS.get(pad.domain)
    if source is None or source.shape is None or reader is None:
        return None
    pads = reader(pad, len(source.shape))
    return pads if pads is not None and len(pads) == 2 * len(source.shape) else None


def crops_of(node: Node) -> Numbers | None:
    """Return the number of elements cut off before each axis; None for any other operation."""
    source, result = node.input(0), node.output()
    if source is None or source.shape is None or result is None or result.shape is None:
        return None
    rank = len(source.shape)
    if node.domain == "coreml" and node.op_type == "crop":
        height, width = node.get_ints("crop_height"), node.get_ints("crop_width")
        return (0,) * (rank - 2) + (height[0], width[0]) if height and width else None
    begins = _slice_begins(node) if node.domain == "tflite" else None
    return begins if begins is not None and len(begins) == rank == len(result.shape) else None


def _slice_begins(node: Node) -> Numbers | None:
    """Return where a part without gaps begins along each axis."""
    begins = small_integers(node.input(1))
    if node.op_type == "SLICE" or begins is None:
        return begins
    steps, mask = small_integers(node.input(3)), node.get_int("begin_mask", 0) or 0
    if node.op_type != "STRIDED_SLICE" or steps is None or set(steps) != {1}:
        return None
    return tuple(0 if mask >> at & 1 else begin for at, begin in enumerate(begins))


def _in_pairs(pairs: Numbers) -> Numbers:
    """Return pairs of a beginning and an end as all beginnings, then all ends."""
    return pairs[0::2] + pairs[1::2]


def _standard(pad: Node, rank: int) -> Numbers | None:
    pads = pad.get_ints("pads") or small_integers(pad.input(1))
    axes = small_integers(pad.input(3))
    if pads is None or axes is None or len(pads) != 2 * len(axes):
        return pads if pad.input(3) is None else None
    found = [0] * 2 * rank
    for at, axis in enumerate(axes):
        found[axis % rank], found[rank + axis % rank] = pads[at], pads[len(axes) + at]
    return tuple(found)


def _tflite(pad: Node, rank: int) -> Numbers | None:
    pairs = small_integers(pad.input(1))
    return _in_pairs(pairs) if pairs is not None else None


def _openvino(pad: Node, rank: int) -> Numbers | None:
    begin, end = small_integers(pad.input(1)), small_integers(pad.input(2))
    return begin + end if begin is not None and end is not None else None


def _coreml(pad: Node, rank: int) -> Numbers | None:
    """Read a padding of the last axes, in pairs."""
    pairs = pad.get_ints("pad")
    return _in_pairs((0,) * (2 * rank - len(pairs)) + pairs) if pairs else None


def _aten(pad: Node, rank: int) -> Numbers | None:
    """Read a padding of the last axes, in pairs that begin with the last one."""
    pairs = pad.get_ints("pad") or pad.get_ints("padding")
    if not pairs or len(pairs) % 2:
        return None
    turned = [each for at in range(len(pairs) - 2, -1, -2) for each in pairs[at : at + 2]]
    return _in_pairs((0,) * (2 * rank - len(turned)) + tuple(turned))


_READERS: Mapping[str, Callable[[Node, int], Numbers | None]] = {
    "": _standard,
    "tflite": _tflite,
    "openvino": _openvino,
    "coreml": _coreml,
    "aten": _aten,
}
