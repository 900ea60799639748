"""Operators that accelerators take only as a part of a larger one that is written out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from modellint.model import Node, Value, small_number
from modellint.operators import Trait, having

_CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})
_VIEWS = frozenset({"EXPAND_DIMS", "RESHAPE", "SQUEEZE"})
_HALF_ROOT = (2**0.5, 0.5**0.5)


def of_gelu(node: Node) -> bool:
    """Return True for the Erf of a GELU: the input is scaled by the root of two, and 1 added."""
    scaled, added = node.input(0), node.output()
    before = scaled.producer if scaled is not None else None
    after = added.sole_consumer if added is not None else None
    return (
        before is not None
        and any(_is_near(value, number) for value in before.inputs for number in _HALF_ROOT)
        and after is not None
        and any(_is_near(value, 1.0) for value in after.inputs)
    )


def of_dynamic_product(node: Node) -> bool:
    """Return True for a product of integers whose input is quantized in each run, and for that."""
    source, result = node.input(0), node.output()
    if node.op_type in having(Trait.INTEGER_PRODUCT):
        maker = source.producer if source is not None else None
        return maker is not None and maker.op_type in having(Trait.INTEGER_KERNEL)
    readers = result.consumers if result is not None else []
    return any(use.node.op_type in having(Trait.INTEGER_PRODUCT) for use in readers)


def of_dilated_convolution(node: Node) -> bool:
    """Return True for what rearranges data around a convolution, which is a dilated one then."""
    is_first = node.op_type == "SPACE_TO_BATCH_ND"
    step, seen = _next(node, forward=is_first), False
    while step is not None and (step.op_type in _VIEWS or step.op_type in _CONVOLUTIONS):
        seen |= step.op_type in _CONVOLUTIONS
        step = _next(step, forward=is_first)
    end = "BATCH_TO_SPACE_ND" if is_first else "SPACE_TO_BATCH_ND"
    return seen and step is not None and step.op_type == end


def _next(node: Node, *, forward: bool) -> Node | None:
    """Return the only reader of a node, or the one that it reads."""
    value = node.output() if forward else node.input(0)
    if value is None:
        return None
    return value.sole_consumer if forward else value.producer


def _is_near(value: Value | None, number: float) -> bool:
    stored = small_number(value)
    return stored is not None and abs(stored - number) < 1e-3


INSIDE: Mapping[str, Callable[[Node], bool]] = {
    "dilated convolution": of_dilated_convolution,
    "gelu": of_gelu,
    "dynamic product": of_dynamic_product,
}
