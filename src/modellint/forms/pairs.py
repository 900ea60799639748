"""Forms by the types in which a node's inputs are quantized: between Q/DQ pairs.

[[form]]
op = "LayerNormalization"
quantized = "all"                   # or the place of an input
only = ["uint8 uint8 int32"]        # or `refused`: the types of what is dequantized for it
instead = "a scale in uint8"        # what is taken
unit = true                         # of placements: the pairs around it are left with it
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modellint.forms.facts import Facts
from modellint.model import Node, Value
from modellint.operators import Trait, having

_DEQUANTIZE = having(Trait.DEQUANTIZE)


def quantized(facts: Facts, node: Node, condition: Mapping[str, Any]) -> str:
    """Describe types of a node's quantized inputs that are refused; empty if none is quantized."""
    place = condition["quantized"]
    asked = node.inputs if place == "all" else node.inputs[place : place + 1]
    values = [value for value in asked if value is not None]
    types = [_stored(facts, value) for value in values]
    given = " ".join(types)
    is_refused = given in condition.get("refused", ()) or given not in condition.get(
        "only", (given,)
    )
    is_meant = bool(values) and any(map(_scaled, filter(None, node.inputs)))
    instead = f", only with {condition['instead']}" if "instead" in condition else ""
    return f"inputs in {', '.join(types)}{instead}" if is_meant and is_refused else ""


def _scaled(value: Value) -> Node | None:
    maker = value.producer
    return maker if maker is not None and maker.op_type in _DEQUANTIZE else None


def _stored(facts: Facts, value: Value) -> str:
    maker = _scaled(value)
    source = maker.input(0) if maker is not None else value
    dtype = facts.dtype(source) if source is not None else None
    return dtype.name if dtype is not None else "?"
