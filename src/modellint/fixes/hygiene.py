"""Fixes of leftovers of exports."""

from __future__ import annotations

from modellint.checks.api import Context, Hit
from modellint.formats.onnx.facts import onnx_facts
from modellint.model import Value
from modellint.model.edits import Fix, RemoveTensor

FIRST_WITH_DEFAULTS = 4
"""IR version since which an initializer that is an input, too, is the input's default."""


def drop_initializer(context: Context, hit: Hit) -> Fix | None:
    """Drop an initializer that nothing reads, unless a caller may be passing it."""
    value = hit.place
    if not isinstance(value, Value):
        return None
    if value.is_input and (onnx_facts(context.model).ir_version or 0) >= FIRST_WITH_DEFAULTS:
        return None
    return Fix((RemoveTensor(value),), f"Removes initializer '{value.name}'.")
