"""Fixes of declared shapes, and of sizes baked into graphs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from modellint.checks.api import Context, Hit
from modellint.checks.shapes_baked import outputs_by_batch
from modellint.fixes.building import main_opset, reading
from modellint.model import DTYPES, Node, Value, is_static, small_integers
from modellint.model.edits import (
    AddTensor,
    Fix,
    GraphEdit,
    InsertNodes,
    NewNode,
    RemoveNodes,
    SetInput,
    SetShape,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FIRST_WITH_SHAPE_INPUT = 5
"""Opset since which Reshape takes its shape as an input."""
_FIRST_EXPAND = 8
_INT64 = DTYPES["int64"]


def name_dims(context: Context, hit: Hit) -> Fix | None:
    """Give each unnamed dim of an input its own name, which implies nothing."""
    value = hit.place
    if not isinstance(value, Value) or value.declared_shape is None:
        return None
    taken = {
        dim for each in context.model.graph.values.values() for dim in each.declared_shape or ()
    }
    named = []
    for axis, dim in enumerate(value.declared_shape):
        name = f"{value.name}_dim_{axis}"
        while dim is None and name in taken:
            name += "_"
        named.append(name if dim is None else dim)
    says = f"Names the open dims of input '{value.name}'."
    return Fix((SetShape(value, tuple(named)),), says, changes_interface=True)


def join_tensors(context: Context, hit: Hit) -> Fix | None:
    """Join tensors without making a sequence of them first."""
    made = hit.place
    sequence = made.output() if isinstance(made, Node) else None
    if not isinstance(made, Node) or sequence is None or made.op_type != "SequenceConstruct":
        return None
    edits: list[GraphEdit] = [RemoveNodes((made,))]
    for use in sequence.consumers:
        joined = use.node
        if joined.op_type != "ConcatFromSequence" or joined.get_int("new_axis", 0) != 0:
            return None
        axis = {"axis": joined.get_int("axis") or 0}
        concat = NewNode("Concat", made.inputs, joined.outputs, axis, name=joined.name)
        edits += [RemoveNodes((joined,)), InsertNodes(joined.graph, (concat,), before=joined)]
    if sequence.is_output or not sequence.consumers:
        return None
    return Fix(tuple(edits), f"Writes the sequence of {made.op_type} '{made.label}' as a Concat.")


def fix_dims(context: Context, hit: Hit) -> Fix | None:
    """Give open dims of the inputs the sizes that were chosen for them."""
    names = {
        dim: None
        for value in context.model.fed
        for dim in value.declared_shape or ()
        if isinstance(dim, str)
    }
    chosen = {name: context.choices.get(f"dim:{name}", "") for name in names}
    sizes = {name: int(text) for name, text in chosen.items() if text.isdecimal()}
    if not names:
        return None
    edits: list[GraphEdit] = []
    for graph in context.model.graphs():
        for value in graph.values.values():
            shape = value.declared_shape or ()
            fixed = tuple(sizes.get(dim, dim) if isinstance(dim, str) else dim for dim in shape)
            if fixed != shape and not value.is_constant:
                edits.append(SetShape(value, fixed))
    options = [f"dim:{name}=SIZE" for name in names if name not in sizes]
    stated = ", ".join(f"'{name}' to {size}" for name, size in sizes.items())
    says = f"Fixes {stated}." if sizes else f"Fixes dim '{next(iter(names))}'."
    option = options[0] if options and not sizes else f"dim:{next(iter(sizes or names))}=SIZE"
    return Fix(tuple(edits), says, option=option, changes_interface=True, keeps_finding=True)


def open_batch(context: Context, hit: Hit) -> Fix | None:
    """Let a Reshape accept any batch size."""
    node, batch, symbol = hit.place, hit.facts.get("batch"), str(hit.facts.get("symbol"))
    if not isinstance(node, Node) or not isinstance(batch, int) or batch < 1:
        return None
    stored = node.input(1)
    sizes = small_integers(stored)
    if main_opset(context, node.graph) < _FIRST_WITH_SHAPE_INPUT or node.get_int("allowzero", 0):
        return None
    if sizes is None or not sizes or stored is None or stored.tensor is None:
        return None
    if sizes[0] != batch and (batch == 1 or _divisible(sizes, batch) != [0]):
        return None  # which of the axes holds the batch is not clear
    if -1 in sizes and sizes[0] != batch:
        return None
    opened = (0 if -1 in sizes else -1, *sizes[1:])
    made = partial(_integers, opened)
    name = f"{stored.name}_any_batch"
    edits = reading(node, 1, name, stored.tensor.dtype, stored.tensor.shape, made)
    says = f"Lets Reshape '{node.label}' take any '{symbol}'."
    edits = (*edits, *_opened(node, symbol, batch))
    if -1 not in sizes:
        return Fix(edits, says, changes_interface=True)
    wanted = context.choices.get("mixed-batch") == "separate"  # it runs, but mixes samples
    return Fix(
        edits if wanted else (),
        says,
        "choice",
        "mixed-batch=separate",
        changes_interface=True,
        changes_outputs=True,
    )


def _divisible(sizes: tuple[int, ...], batch: int) -> list[int]:
    return [axis for axis, size in enumerate(sizes) if size > 0 and size % batch == 0]


def open_constant(context: Context, hit: Hit) -> Fix | None:
    """Repeat a constant made for one sample for all samples of the batch."""
    node, symbol = hit.place, str(hit.facts.get("symbol"))
    if not isinstance(node, Node) or node.op_type != "Concat" or hit.facts.get("batch") != 1:
        return None
    constant = next(
        (v for v in node.inputs if v is not None and v.name == hit.facts.get("constant")), None
    )
    data = next(
        (v for v in node.inputs if v is not None and (context.shape(v) or ("",))[0] == symbol), None
    )
    shape = context.shape(constant) if constant is not None else None
    if constant is None or data is None or not shape or not is_static(shape):
        return None
    if main_opset(context, node.graph) < _FIRST_EXPAND or shape[0] != 1:
        return None
    rest = tuple(dim for dim in shape[1:] if isinstance(dim, int))
    base = f"{constant.name}_repeated"
    first, last, sizes, batch, target = (
        f"{base}_{part}" for part in ("first", "rest", "sizes", "batch", "shape")
    )
    made = (
        NewNode("Shape", (data,), (sizes,), name=sizes),
        NewNode("Gather", (sizes, first), (batch,), {"axis": 0}, name=batch),
        NewNode("Concat", (batch, last), (target,), {"axis": 0}, name=target),
        NewNode("Expand", (constant, target), (base,), name=base),
    )
    edits: tuple[GraphEdit, ...] = (
        AddTensor(first, node.graph, _INT64, (1,), partial(_integers, (0,))),
        AddTensor(last, node.graph, _INT64, (len(rest),), partial(_integers, rest)),
        InsertNodes(node.graph, made, before=node),
        *(SetInput(node, at, base) for at, value in enumerate(node.inputs) if value is constant),
        *_opened(node, symbol, 1),
    )
    says = f"Repeats '{constant.name}' for any '{symbol}'."
    return Fix(edits, says, changes_interface=True)


def _opened(node: Node, symbol: str, batch: int) -> Iterator[SetShape]:
    """Remove the shapes recorded after a node, but open the batch of outputs."""
    opened = {id(value) for value in outputs_by_batch(node.output())}
    pending, seen = [value for value in node.outputs if value is not None], set[int]()
    while pending:
        value = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        shape = value.declared_shape
        if value.is_output:
            if id(value) in opened and shape and shape[0] == batch:
                yield SetShape(value, (symbol, *shape[1:]))
        elif shape is not None:
            yield SetShape(value, None)
        for use in value.consumers:
            pending += [made for made in use.node.outputs if made is not None]


def _integers(numbers: tuple[int, ...]) -> NDArray[Any]:
    import numpy as np

    return np.array(numbers, "int64")
