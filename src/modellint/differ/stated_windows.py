"""Windows as formats state them, before anything is made alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from modellint.differ.paddings import Numbers
from modellint.model import Node
from modellint.operators import Trait, of


class StatedWindow(NamedTuple):
    """Window as a node states it."""

    kernel: Numbers | None = None
    strides: Numbers | None = None
    dilations: Numbers | None = None
    pads: Numbers | None = None
    """All beginnings, then all ends; None if they are not known."""
    rule: str = ""
    group: int | None = None
    is_ceiled: bool = False
    counts_padding: bool | None = None


def _standard(node: Node, count: int) -> StatedWindow:
    rule = node.get_str("auto_pad", "NOTSET") or ""
    pads = node.get_ints("pads") or (0,) * 2 * count
    if rule != "NOTSET":
        pads = (0,) * 2 * count
    extra = node.get_ints("output_padding") or (0,) * count
    if any(extra) and len(pads) == 2 * count:
        pads = (*pads[:count], *(pads[count + at] - extra[at] for at in range(count)))
    return StatedWindow(
        node.get_ints("kernel_shape"),
        node.get_ints("strides"),
        node.get_ints("dilations"),
        pads if len(pads) == 2 * count else None,
        rule if rule.startswith("SAME") else "",
        node.get_int("group", 1),
        bool(node.get_int("ceil_mode", 0)),
        bool(node.get_int("count_include_pad", 0)),
    )


_SIDES = ("d", "h", "w")


def _tflite(node: Node, count: int) -> StatedWindow:
    def each(option: str) -> Numbers:
        sides = _SIDES[-count:]
        return tuple(node.get_int(option.format(side), 1) or 1 for side in sides)

    height, width = node.get_int("filter_height"), node.get_int("filter_width")
    return StatedWindow(
        (height, width) if height is not None and width is not None else None,
        each("stride_{}"),
        each("dilation_{}_factor"),
        (0,) * 2 * count,
        "SAME_UPPER" if node.get_str("padding") == "SAME" else "",
        1 if Trait.TRANSPOSED_CONVOLUTION in of(node).traits else None,
    )


_RULES: Mapping[str, str] = {"same_upper": "SAME_UPPER", "same_lower": "SAME_LOWER"}


def _openvino(node: Node, count: int) -> StatedWindow:
    """Read an operation that keeps OpenVINO's name; its weight says the groups first."""

    def each(name: str) -> Numbers | None:
        numbers = node.get_ints(name)
        number = node.get_int(name) if numbers is None and name in node.attributes else None
        return numbers if number is None else (number,)

    begin, end = each("pads_begin") or (), each("pads_end") or ()
    mode = node.get_str("auto_pad", "explicit") or ""
    pads = (*begin, *end) if mode == "explicit" else (0,) * 2 * count
    extra = each("output_padding") or (0,) * count
    if any(extra) and len(pads) == 2 * count:
        pads = (*pads[:count], *(pads[count + at] - extra[at] for at in range(count)))
    weight = node.input(1)
    first = weight.shape[0] if weight is not None and weight.shape else None
    return StatedWindow(
        None,
        each("strides"),
        each("dilations"),
        pads if len(pads) == 2 * count else None,
        _RULES.get(mode, ""),
        first if isinstance(first, int) else None,
    )


def _unpadded(node: Node, count: int) -> StatedWindow:
    """Read a layer whose attributes except for the padding are known."""
    return StatedWindow(
        node.get_ints("kernel_shape"),
        node.get_ints("strides"),
        node.get_ints("dilations"),
        None,
        group=node.get_int("group"),
    )


READERS: Mapping[str, Callable[[Node, int], StatedWindow]] = {
    "": _standard,
    "com.microsoft": _standard,
    "tflite": _tflite,
    "openvino": _openvino,
    "coreml": _unpadded,
}
"""Readers by the domain of a node; what was translated to the standard is read as that."""
