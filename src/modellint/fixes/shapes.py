"""Fixes of declared shapes."""

from __future__ import annotations

from modellint.checks.api import Context, Hit
from modellint.model import Node, Value
from modellint.model.edits import Fix, GraphEdit, InsertNodes, NewNode, RemoveNodes, SetShape


def name_dims(context: Context, hit: Hit) -> Fix | None:
    """Give each unnamed dim of an input a name of its own, which promises nothing."""
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
    return Fix(tuple(edits), f"Joins what {made.op_type} '{made.label}' collects by a Concat.")
