"""Repairs of defects that exporters, converters and quantizers are known to leave."""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import isfinite

from modellint.checks.api import Context, Hit
from modellint.checks.producers import defect_of
from modellint.fixes.conditions import bypass, computed, integers, is_settled
from modellint.model import DTYPES, Node, Value, small_integers
from modellint.model.edits import (
    Fix,
    GraphEdit,
    InsertNodes,
    NewNode,
    SetAttribute,
    SetInput,
)

Repair = Callable[[Node], "Fix | None"]
_CODES = {"float32": 1, "float16": 10}
"""Numbers of types in attributes."""
_ROUNDING = 1e-2
"""Largest change by rounding weights to float16, relative to the largest element."""


def repair(context: Context, hit: Hit) -> Fix | None:
    """Repair the node as its defect says, if only one repair is right."""
    node, named = hit.place, defect_of(hit).autofix
    if not named or not isinstance(node, Node):
        return None
    repairing: Repair = getattr(sys.modules[__name__], named)
    return repairing(node)


def axes_as_input(node: Node) -> Fix | None:
    """Store the axes, and let the node read them."""
    axes = node.get_ints("axes")
    if axes is None or node.input(1) is not None:
        return None
    edits = (
        integers("axes", node.graph, axes),
        SetInput(node, 1, "axes"),
        SetAttribute(node, "axes", None),
    )
    return Fix(edits, f"Makes the axes of {_named(node)} an input.")


def count_parts(node: Node) -> Fix | None:
    """State the number of equal parts."""
    source, axis = node.input(0), node.get_int("axis", 0) or 0
    shape = source.shape if source is not None else None
    dim = shape[axis] if shape and -len(shape) <= axis < len(shape) else None
    parts = len(node.outputs)
    if not isinstance(dim, int) or dim % parts:
        return None
    return Fix((SetAttribute(node, "num_outputs", parts),), f"Counts the parts of {_named(node)}.")


def drop_legacy_attributes(node: Node) -> Fix | None:
    """Remove attributes that only the first opsets had."""
    old = [name for name in ("consumed_inputs", "is_test") if name in node.attributes]
    edits = tuple(SetAttribute(node, name, None) for name in old)
    return Fix(edits, f"Removes {' and '.join(old)} from {_named(node)}.")


def normalize_per_channel(node: Node) -> Fix | None:
    """Remove `spatial` where the statistics are those of channels."""
    statistics = [value.shape if value is not None else None for value in node.inputs[1:]]
    source = node.input(0)
    rank = len(source.shape) if source is not None and source.shape is not None else 0
    if rank <= 2 or any(shape is None or len(shape) != 1 for shape in statistics):
        return None
    return Fix((SetAttribute(node, "spatial", None),), f"Removes spatial from {_named(node)}.")


def narrow_weights(node: Node) -> Fix | None:
    """Store scale and bias in the type of the input."""
    return _with_types(node, node.inputs[1:], 1, "float16")


def narrow_exponent(node: Node) -> Fix | None:
    """Store the exponent in the type of the base."""
    return _with_types(node, node.inputs[1:], 1, "float16")


def widen_scales(node: Node) -> Fix | None:
    """Store the scales in the type that they have in every opset."""
    return _with_types(node, node.inputs[2:3], 2, "float32")


def _with_types(node: Node, values: tuple[Value | None, ...], start: int, dtype: str) -> Fix | None:
    """Let a node read inputs in another type: other constants, or the result of a Cast."""
    edits: list[GraphEdit] = []
    is_exact = True
    for place, value in enumerate(values, start):
        if value is None or value.dtype is None or value.dtype.name == dtype:
            continue
        name = f"{value.name}_{dtype}"
        stored = value.tensor if is_settled(value) else None
        array = stored.numpy() if stored is not None else None
        if array is None:
            cast = NewNode("Cast", (value,), (name,), {"to": _CODES[dtype]})
            edits.append(InsertNodes(node.graph, (cast,), before=node))
            is_exact = is_exact and value.dtype.bits <= DTYPES[dtype].bits
        else:
            made = array.astype(DTYPES[dtype].numpy)
            is_exact = is_exact and bool((made.astype(array.dtype) == array).all())
            edits.append(computed(name, node.graph, made, DTYPES[dtype]))
        edits.append(SetInput(node, place, name))
    says = f"Lets {_named(node)} read {dtype}."
    if is_exact:
        return Fix(tuple(edits), says)
    return Fix(tuple(edits), says, "numbers", tolerance=_ROUNDING)


def agree_on_type(node: Node) -> Fix | None:
    """Store scale and bias as float32, unless float16 is wanted afterwards."""
    output = node.output()
    wanted = [output.declared_dtype if output is not None else None]
    for use in output.consumers if output is not None else ():
        wanted += [value.dtype for value in use.node.inputs if value and value.is_constant]
    if not any(dtype is not None and dtype.name == "float16" for dtype in wanted):
        return _with_types(node, node.inputs[1:], 1, "float32")
    cast = NewNode("Cast", (node.input(0),), ("half",), {"to": _CODES["float16"]})
    edits = (InsertNodes(node.graph, (cast,), before=node), SetInput(node, 0, "half"))
    says = f"Converts the input of {_named(node)} to float16."
    return Fix(edits, says, "numbers", tolerance=_ROUNDING)


def draw_half(node: Node) -> Fix | None:
    """Draw numbers of the type that is declared."""
    return Fix(
        (SetAttribute(node, "dtype", _CODES["float16"]),), f"Lets {_named(node)} make float16."
    )


def drop_sizes(node: Node) -> Fix | None:
    """Drop the sizes where the scales give the same."""
    source, scales, sizes = node.input(0), node.input(2), node.input(3)
    shape = source.shape if source is not None else None
    wanted = small_integers(sizes) if is_settled(sizes) else None
    tensor = scales.tensor if is_settled(scales) and scales is not None else None
    factors = tensor.small_numbers() if tensor is not None and tensor.dtype.is_float else ()
    if not all(map(isfinite, factors)):
        return None
    if shape is None or wanted is None or not len(shape) == len(wanted) == len(factors):
        return None
    made = [
        int(dim * factor)
        for dim, factor in zip(shape, factors, strict=True)
        if isinstance(dim, int)
    ]
    if made != list(wanted):
        return None
    return Fix((SetInput(node, 3, None),), f"Drops the sizes of {_named(node)}.")


def drop_alias(node: Node) -> Fix | None:
    """Read what the node gives another name."""
    edits = bypass(node, node.input(0))
    return Fix(edits, f"Removes {_named(node)}.") if edits is not None else None


def _named(node: Node) -> str:
    return f"{node.op_type} '{node.label}'"
