"""Forms of operators that a runtime refuses: the vocabulary of its table of restrictions.

[[form]]
op = "ArgMax"                       # or a list
input = 0                           # or output, attribute, misfit, next-to, enlarged-beyond,
                                    # tflite, aten, quantized, opset-below, opset-from
rank = [2, 8]                       # what is supported, see `_INPUT` and `_ATTRIBUTE`
and = [{ attribute = "axis" }]      # further conditions, all of which have to hold
targets = ["rk3566"]                # of placements only: the devices, or `not-targets`
whole = true                        # of placements only: nothing of the model is built
says = "an input of one dim"        # words for it; by default those of each condition
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from modellint.analysis.folding import folding
from modellint.formats.onnx.facts import DEFAULT_DOMAIN, onnx_facts
from modellint.forms import bodies, misfits
from modellint.forms.facts import Facts
from modellint.forms.pairs import quantized
from modellint.model import Attribute, AttributeRef, DType, Node, Value, is_static
from modellint.operators import Trait, having

Condition = Mapping[str, Any]
COPIES = having(Trait.CAST, Trait.CONSTANT, Trait.TRANSPARENT)
"""Ops on constants that the parser may fold."""
UINT8, INT32 = "uint8", "int32"


def refused_form(facts: Facts, node: Node, form: Condition) -> str:
    """Describe why a node is rejected; empty if it is accepted."""
    found = []
    for each in (form, *form.get("and", ())):
        words = _refused(facts, node, each)
        if not words:
            return ""
        found.append(words)
    return str(form.get("says") or " and ".join(found))


def _refused(facts: Facts, node: Node, condition: Condition) -> str:
    if "opset-below" in condition:
        limit, opset = condition["opset-below"], opset_of(node)
        return f"opset {opset}" if opset is not None and opset < limit else ""
    if "opset-from" in condition:
        first, opset = condition["opset-from"], opset_of(node)
        return f"opset {opset}" if opset is not None and opset >= first else ""
    if "misfit" in condition:
        return _MISFITS[condition["misfit"]](facts, node)
    if "tflite" in condition:
        from modellint.forms import tflite  # for few runtimes

        return tflite.OF_NODE[condition["tflite"]](facts, node, condition)
    if "output" in condition:
        return _refused_output(facts, node, condition)
    if "next-to" in condition:
        return _neighbor(node, condition["next-to"])
    if "enlarged-beyond" in condition:
        return misfits.enlarged(facts, node, condition["enlarged-beyond"])
    if "quantized" in condition:
        return quantized(facts, node, condition)
    if "aten" in condition:
        from modellint.forms import aten

        return aten.OF_NODE[condition["aten"]](facts, node, condition)
    if "input" in condition:
        return _refused_input(facts, node, condition)
    return _refused_attribute(node, condition)


def _refused_output(facts: Facts, node: Node, condition: Condition) -> str:
    place = condition["output"]
    value, name = node.output(place), f"output {place + 1}"
    if value is None:
        return ""
    return _of_other_rank(facts, value, name, condition["rank"]) if "rank" in condition else name


def _neighbor(node: Node, ops: list[str]) -> str:
    """Describe an operator of these right before or after a node."""
    readers = [use.node for value in node.outputs if value is not None for use in value.consumers]
    found = next((each for each in (*node.predecessors, *readers) if each.op_type in ops), None)
    return f"a {found.op_type} next to it" if found is not None else ""


def opset_of(node: Node) -> int | None:
    """Return the version of the operator set that a node belongs to."""
    opsets = onnx_facts(node.graph.model).opsets_of(node.graph)
    return opsets.get(node.domain, opsets.get(DEFAULT_DOMAIN))


def type_at(node: Node, place: str) -> str | None:
    """Return the type at a place of a node, as tables of kernels name it: ``0``, ``o0``."""
    at = int(place.removeprefix("o"))
    value = node.output(at) if place.startswith("o") else node.input(at)
    if value is None:
        return None
    if value.type_name != "tensor":
        return value.type_name
    return value.dtype.name if value.dtype is not None else None


# Attributes.


def _refused_attribute(node: Node, condition: Condition) -> str:
    name = condition["attribute"]
    value: Attribute | None = node.attributes.get(name, condition.get("default"))
    if isinstance(value, AttributeRef):
        return ""
    if "all-inputs" in condition:
        given = sum(each is not None for each in node.inputs)
        return f"no inputs besides the {given} of {name}" if value == given else ""
    for key, is_refused in _ATTRIBUTE.items():
        if key in condition:
            return is_refused(name, value, condition[key])
    return f"the attribute {name}" if value is not None else ""


def _missing(name: str, value: Attribute | None, _: object) -> str:
    return f"no {name}" if value is None else ""


def _other_than(name: str, value: Attribute | None, only: list[object]) -> str:
    refused = [each for each in _elements(value) if each not in only]
    return f"{name} {', '.join(map(str, refused))}" if refused else ""


def _one_of(name: str, value: Attribute | None, refused: list[object]) -> str:
    return f"{name} {value!s}" if value in refused else ""


def _larger_than(name: str, value: Attribute | None, largest: int) -> str:
    numbers = [each for each in _elements(value) if isinstance(each, int)]
    size = math.prod(numbers) if len(numbers) == 2 else 0  # there is no limit for three dims
    return f"a {name} of {size}" if size > largest else ""


def _smaller_than(name: str, value: Attribute | None, least: int) -> str:
    refused = [each for each in _elements(value) if isinstance(each, int) and each < least]
    return f"{name} {', '.join(map(str, refused))}" if refused else ""


def _any_above(name: str, value: Attribute | None, most: int) -> str:
    refused = [each for each in _elements(value) if isinstance(each, int) and each > most]
    return f"{name} {', '.join(map(str, refused))}" if refused else ""


def _beyond_characters(name: str, value: Attribute | None, known: str) -> str:
    refused = sorted(set(value) - set(known)) if isinstance(value, str) else []
    return f"{' '.join(refused)} in its {name}" if refused else ""


def _halves_differ(name: str, value: Attribute | None, _: object) -> str:
    values = _elements(value)
    half = len(values) // 2
    return f"{name} that differ by direction" if values[:half] != values[half:] else ""


def _elements(value: Attribute | None) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else () if value is None else (value,)


_ATTRIBUTE: dict[str, Callable[[str, Attribute | None, Any], str]] = {
    "missing": _missing,
    "only": _other_than,
    "refused": _one_of,
    "largest": _larger_than,
    "least": _smaller_than,
    "most": _any_above,
    "characters": _beyond_characters,
    "halves-equal": _halves_differ,
}
"""Statements of a condition on an attribute; without any, the attribute may not be given."""


# Inputs.


def _refused_input(facts: Facts, node: Node, condition: Condition) -> str:
    place = condition["input"]
    value, name = node.input(place), condition.get("called", f"input {place + 1}")
    if "missing" in condition:
        return f"no {name}" if value is None else ""
    if value is None:
        return ""
    for key, stated in condition.items():  # of which one is a statement
        if key in _INPUT:
            return _INPUT[key](facts, value, name, stated)
        if key in _PAIR:
            other = node.input(stated)
            return _PAIR[key](facts, node, value, other) if other is not None else ""
    return str(name)


def _computed(facts: Facts, value: Value, name: str, _: object) -> str:
    if value.graph in onnx_facts(facts.model).functions:
        return ""  # the call decides
    return "" if facts.is_frozen(value) else f"{name} computed at run time"


def _not_stored(_: Facts, value: Value, name: str, __: object) -> str:
    if value.is_constant or (value.producer is not None and value.producer.op_type in COPIES):
        return ""
    return f"{name} that are computed"


def _fed(facts: Facts, value: Value, name: str, _: object) -> str:
    return f"{name} that are an input of the model" if value in facts.model.fed else ""


def _of_other_rank(facts: Facts, value: Value, name: str, ranks: list[int]) -> str:
    shape = facts.shape(value)
    if shape is None or ranks[0] <= len(shape) <= ranks[1]:
        return ""
    return f"{name} of rank {len(shape)}"


def _of_another_rank(facts: Facts, _: Node, value: Value, other: Value) -> str:
    shape, base = facts.shape(value), facts.shape(other)
    return "inputs of different ranks" if shape and base and len(shape) != len(base) else ""


def _of_another_type(facts: Facts, _: Node, value: Value, other: Value) -> str:
    names = [computed_type(facts.dtype(each)) for each in (other, value)]
    is_constant = UINT8 in names and INT32 in names  # which becomes int32
    if None in names or names[0] == names[1] or is_constant:
        return ""
    return f"inputs of types {names[0]} and {names[1]}"


def computed_type(dtype: DType | None) -> str | None:
    """Return the type that TensorRT computes in: 64-bit floats are narrowed."""
    return {"float64": "float32"}.get(dtype.name, dtype.name) if dtype is not None else None


def _of_other_type(facts: Facts, value: Value, name: str, types: list[str]) -> str:
    dtype = facts.dtype(value)
    return "" if dtype is None or dtype.name in types else f"{name} of type {dtype.name}"


def _of_refused_type(facts: Facts, value: Value, name: str, types: list[str]) -> str:
    dtype = facts.dtype(value)
    return f"{name} of type {dtype.name}" if dtype is not None and dtype.name in types else ""


def _of_more(facts: Facts, value: Value, name: str, most: int) -> str:
    shape = facts.shape(value)
    first = shape[0] if shape and is_static(shape) else None
    return f"{name} of {first} items" if isinstance(first, int) and first > most else ""


def _of_open_shape(facts: Facts, value: Value, name: str, _: object) -> str:
    shape = facts.shape(value)
    return "" if shape is None or is_static(shape) else f"{name} of open shape"


def _of_larger_number(facts: Facts, value: Value, name: str, largest: int) -> str:
    number = _single_number(facts, value)
    return f"{name} {number}" if number is not None and number > largest else ""


def _of_smaller_number(facts: Facts, value: Value, name: str, smallest: int) -> str:
    number = _single_number(facts, value)
    return f"{name} {number}" if number is not None and number < smallest else ""


def _single_number(facts: Facts, value: Value) -> int | None:
    numbers = facts.analysis(folding).numbers(value)
    if numbers is None or numbers.size != 1 or numbers.dtype.kind not in "biu":
        return None
    return int(numbers.flat[0])


_INPUT: dict[str, Callable[[Facts, Value, str, Any], str]] = {
    "constant": _computed,
    "stored": _not_stored,
    "fed": _fed,
    "rank": _of_other_rank,
    "types": _of_other_type,
    "refused-types": _of_refused_type,
    "leading": _of_more,
    "static": _of_open_shape,
    "largest": _of_larger_number,
    "smallest": _of_smaller_number,
}
"""Statements of a condition on an input; without any, the input may not be given."""
_PAIR: dict[str, Callable[[Facts, Node, Value, Value], str]] = {
    "other-rank-than": _of_another_rank,
    "other-type-than": _of_another_type,
    "broadcasts-to": misfits.broadcast,
    "volume-of": misfits.volume,
    "channels-of": misfits.channels,
    "group-channels-of": misfits.group_channels,
    "zero-points-of": misfits.zero_points,
    "scales-of": misfits.scales,
}
"""Statements about an input and another one, whose place is given."""
_MISFITS = {**misfits.OF_NODE, **bodies.OF_NODE}
