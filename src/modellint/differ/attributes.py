"""Attributes of a node without what says nothing, such as those that state their default."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from modellint.checks.compat import find_schema
from modellint.formats.onnx.facts import onnx_facts
from modellint.model import Attribute, AttributeRef, Model, Node, Tensor

_LATEST = 1000
"""As a version: the newest that is known."""
_IMPLIED: Mapping[str, int] = {"dilations": 1, "strides": 1, "pads": 0, "output_padding": 0}
"""Defaults of a window's numbers along each axis."""
_RENAMED: Mapping[tuple[str, str], str] = {("Pad", "value"): "constant_value", ("TopK", "k"): "K"}
"""Attributes that became inputs under another name."""
_LEFT_OUT = frozenset("doc_string broadcast consumed_inputs is_test spatial".split())
"""Attributes without numeric effect, or that old versions needed for today's default."""
_ALIASES: Mapping[object, str] = {"bilinear": "linear", "bicubic": "cubic"}
"""Values of GridSample's mode in older versions."""


def opset_of(model: Model) -> int:
    return onnx_facts(model).opsets.get("", _LATEST)


def stated(node: Node, opset: int) -> dict[str, object]:
    """Return the attributes that differ from the newest defaults, as values to compare."""
    newest, older = _defaults(node.op_type, node.domain, opset)
    if not node.attributes:
        return dict(older) if older else {}
    found: dict[str, object] = dict(older)
    for name, attribute in node.attributes.items():
        value = plain(attribute)
        if node.op_type == "GridSample":
            value = _ALIASES.get(value, value)
        found.pop(name, None)
        if name in _LEFT_OUT or (name in newest and newest[name] == value):
            continue
        if name in _IMPLIED and isinstance(value, tuple) and set(value) <= {_IMPLIED[name]}:
            continue
        found[_RENAMED.get((node.op_type, name), name)] = value
    if node.op_type == "Conv":
        found.pop("kernel_shape", None)  # the weight has it
    return found


def newest_default(node: Node, name: str) -> object:
    """Return the default of an attribute that is missing."""
    return _defaults(node.op_type, node.domain, _LATEST)[0].get(name)


def drop_even_split(attributes: dict[str, object]) -> None:
    """Leave out the sizes of a Split into equal parts; the outputs give their number."""
    sizes = attributes.get("split")
    attributes.pop("num_outputs", None)
    if isinstance(sizes, tuple) and len(set(sizes)) == 1:
        del attributes["split"]


def plain(value: Attribute) -> object:
    """Return an attribute as a hashable value without references into the file."""
    if isinstance(value, Tensor):
        numbers = value.small_numbers()
        return tuple(numbers) if len(numbers) else (str(value.dtype), *value.shape)
    if isinstance(value, AttributeRef):
        return f"@{value.name}"
    if isinstance(value, tuple):
        return tuple([plain(each) if isinstance(each, Tensor) else each for each in value])
    return value


@cache
def names_of_inputs(op_type: str, domain: str) -> tuple[str, ...]:
    """Return the names of an operator's inputs; empty ones from where it takes any number."""
    schema = _schema(op_type, domain, _LATEST)
    if schema is None:
        return ()
    return tuple(each.name if each.option.name != "Variadic" else "" for each in schema.inputs)


@cache
def _defaults(
    op_type: str, domain: str, opset: int
) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """Return the newest defaults, and those of an opset where they differ from the newest."""
    newest, own = _stated_by(op_type, domain, _LATEST), _stated_by(op_type, domain, opset)
    older = {name: v for name, v in own.items() if name in newest and newest[name] != v}
    return {**own, **newest}, older


@cache
def _stated_by(op_type: str, domain: str, opset: int) -> Mapping[str, object]:
    schema = _schema(op_type, domain, opset)
    if schema is None:
        return {}
    from modellint.native import messages

    found: dict[str, object] = {}
    for name, each in schema.attributes.items():
        stored = messages().AttributeProto.FromString(each._default_value)
        if stored.type == stored.INT:
            found[name] = stored.i
        elif stored.type == stored.FLOAT:
            found[name] = stored.f
        elif stored.type == stored.STRING:
            found[name] = stored.s.decode("utf-8", "replace")
    return found


_FORMS: Mapping[str, str] = {
    "com.microsoft.FusedConv": "Conv",
    "com.microsoft.FusedGemm": "Gemm",
    "com.microsoft.NhwcConv": "Conv",
    "com.microsoft.NhwcFusedConv": "Conv",
    "com.microsoft.NhwcMaxPool": "MaxPool",
    "com.microsoft.nchwc.AveragePool": "AveragePool",
    "com.microsoft.nchwc.Conv": "Conv",
    "com.microsoft.nchwc.MaxPool": "MaxPool",
}
"""Operators with the defaults of one of the standard."""


def _schema(op_type: str, domain: str, opset: int) -> Any:
    standard = _FORMS.get(f"{domain}.{op_type}")
    if standard is not None:
        op_type, domain = standard, ""
    return find_schema(op_type, domain, min(opset, _LATEST))
