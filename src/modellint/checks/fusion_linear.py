"""Ops that a convolution or pooling could absorb."""

from __future__ import annotations

from collections.abc import Iterator

from modellint.analysis.fusion import consuming_nodes, made_by, number, onward, through
from modellint.checks.api import Context, Hit
from modellint.checks.fusion import ORT, unfused
from modellint.model import Node, Value, small_integers
from modellint.operators import Trait, names

_WINDOWS = ("Conv", "MaxPool", "AveragePool")
_NEVER_NEGATIVE = names(Trait.NEVER_NEGATIVE)


def pad_before_window(context: Context) -> Iterator[Hit]:
    """Zero padding that the following convolution or pooling could do itself."""
    for pad in context.nodes("Pad"):
        pads = pad.get_ints("pads") or small_integers(pad.input(1))
        fill = pad.input(2)
        zero = number(fill) == 0 if fill is not None else pad.get_float("value", 0.0) == 0
        if not zero or pad.get_str("mode", "constant") != "constant" or pads is None:
            continue
        output = pad.output()
        users = consuming_nodes(onward(output)) if output is not None else []
        windows = [n for n in users if n.qualified_op in _WINDOWS]
        if not windows or len(windows) != len(users) or not _is_spatial(pad, pads):
            continue
        if any(node.op_type == "MaxPool" for node in windows) and not _never_negative(pad.input(0)):
            continue  # max pooling pads with the lowest number, not with zeros
        reason, breaker = _pad_blocker(pad, windows)
        facts = {"window": windows[0].label, "op": windows[0].op_type, "takers": len(windows)}
        yield from unfused(
            context,
            breaker,
            [pad],
            {**facts, "pad": pad.label},
            variant=reason,
            vanishes=True,
            stopped=(ORT,) if reason else (),
            witness=pad,
        )


def _pad_blocker(pad: Node, windows: list[Node]) -> tuple[str, Node]:
    """Return what prevents ONNX Runtime's PadFusion, and the node."""
    if len(windows) > 1:
        return "shared", pad
    if windows[0].op_type == "MaxPool":
        return "maximum", pad
    automatic = windows[0].get_str("auto_pad", "NOTSET") != "NOTSET"
    if automatic:
        return "auto_pad", windows[0]
    return ("axes", pad) if pad.input(3) is not None else ("", pad)


def _never_negative(value: Value | None) -> bool:
    """Return True for nonnegative values, for which zero padding cannot change a maximum."""
    value = through(value)
    if made_by(value, *_NEVER_NEGATIVE) is not None:
        return True
    clip = made_by(value, "Clip")
    if clip is None:
        return False
    least = number(clip.input(1)) if len(clip.inputs) > 1 else clip.get_float("min", -1.0)
    return least is not None and least >= 0


def _is_spatial(pad: Node, pads: tuple[int, ...]) -> bool:
    """Return True if padding is not negative and not on batch or channels."""
    if any(amount < 0 for amount in pads) or not any(pads):
        return False
    axes = pad.input(3)
    if axes is not None:
        known = small_integers(axes)
        return known is not None and all(axis >= 2 for axis in known)
    half = len(pads) // 2
    return not any((*pads[:2], *pads[half : half + 2]))
