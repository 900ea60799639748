"""Fixes of declared shapes."""

from __future__ import annotations

from modellint.checks.api import Context, Hit
from modellint.model import Value
from modellint.model.edits import Fix, SetShape


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
