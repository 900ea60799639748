"""Nodes that onnx's shape inference does not survive, or may not.

`deadly.json` lists the operators that `tools/measure_inference.py` found to end the process. Each
has a condition here under which it does; without one, it is only asked in another process.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from modellint.base.records import dataclass
from modellint.model import AttributeRef, Model, Node
from modellint.native import messages

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

_OWN_DOMAIN = "modellint.deadly"
"""Deadly operators are moved to this domain: inference passes over what it does not know."""
_HARMLESS_PROBLEMS = frozenset(
    "external-leftover external-missing external-outside external-short lfs-pointer".split()
)
_FAR = 1000
"""More than any rank; a number beyond it may be any number."""
_EQUATION = re.compile(r"[A-Za-z,.\s]*(?:->[A-Za-z.\s]*)?")
_NEGATIVE_DIM = re.compile(rb"\x08(?!(?<=\x4a\x08)[\x80-\xff]{8}\xa0\x01)([\x80-\xff]{9}\x01)")
"""The first field of a message as a negative number: of a dim, or of a tensor's first dim. Not the
eight bytes of a stored -1 with the tag after them."""
_UNKNOWN_FIELD = b"\x78" + rb"\1"
_HUGE_DIM = re.compile(rb"\x08[\x80-\xff]{6,8}[\x01-\x7f]")
_HUGE = 1 << 31


class Fate(Enum):
    SAFE = 0
    UNSURE = 1
    DEADLY = 2


@dataclass(frozen=True, slots=True)
class Danger:
    """Advice on how to ask inference about a model."""

    deadly: frozenset[str] = frozenset()
    """Qualified operators not to ask about."""
    apart: bool = False
    """True if it may still die, so that it has to run in another process."""
    by_negative_dims: bool = False

    def cleaned(self, serialized: bytes) -> bytes:
        """Return a model without what inference is known to die of."""
        if self.by_negative_dims:
            serialized = _NEGATIVE_DIM.sub(_UNKNOWN_FIELD, serialized)
        if not self.deadly:
            return serialized
        proto = messages().ModelProto.FromString(serialized)
        _hide(proto, self.deadly)
        return bytes(proto.SerializeToString())

    def needs_another_process(self, serialized: bytes) -> bool:
        return self.apart or (self.by_negative_dims and _HUGE_DIM.search(serialized) is not None)


def danger_of(model: Model) -> Danger:
    deadly, apart, by_negative_dims = set(), _is_broken(model), False
    for graph in model.graphs(functions=True):
        for op in _measured() & graph.by_op.keys():
            condition = _CONDITIONS.get(op)
            fates = {condition(node) for node in graph.by_op[op]} if condition else {Fate.UNSURE}
            if Fate.DEADLY in fates:
                deadly.add(op)
            apart |= Fate.UNSURE in fates
            by_negative_dims |= op in _BY_NEGATIVE_DIMS
    apart |= by_negative_dims and any(
        map(_may_make_negative_dims, model.nodes(*_SOURCES, functions=True))
    )
    return Danger(frozenset(deadly), apart, by_negative_dims)


def _is_broken(model: Model) -> bool:
    return any(problem.kind not in _HARMLESS_PROBLEMS for problem in model.problems)


@cache
def _measured() -> frozenset[str]:
    """Return the qualified operators that killed inference."""
    table = json.loads(Path(__file__).with_name("deadly.json").read_text(encoding="utf-8"))
    return frozenset(table["operators"])


def _if_typed(node: Node) -> Fate:
    """It looks at the type of its input without asking whether there is one."""
    value = node.input(0)
    if value is None:
        return Fate.DEADLY
    if value.producer is not None or value.graph is not value.graph.model.graph:
        return Fate.UNSURE
    return Fate.SAFE if value.dtype is not None or value.type_name != "tensor" else Fate.DEADLY


def _if_int(name: str, low: int, high: int) -> Callable[[Node], Fate]:
    def condition(node: Node) -> Fate:
        number = node.attributes.get(name, 0)
        if isinstance(number, AttributeRef):
            return Fate.UNSURE
        return Fate.SAFE if isinstance(number, int) and low <= number <= high else Fate.DEADLY

    return condition


def _if_split_evenly(node: Node) -> Fate:
    outputs = len(node.outputs)
    return (
        _if_int("num_outputs", outputs, outputs)(node)
        if "num_outputs" in node.attributes
        else Fate.SAFE
    )


def _if_equation(node: Node) -> Fate:
    equation = node.attributes.get("equation", "")
    if isinstance(equation, AttributeRef):
        return Fate.UNSURE
    sound = isinstance(equation, str) and _EQUATION.fullmatch(equation) is not None
    return Fate.SAFE if sound else Fate.DEADLY


_CONDITIONS: Mapping[str, Callable[[Node], Fate]] = {
    "EyeLike": _if_typed,
    "RegexFullMatch": _if_typed,
    "ai.onnx.ml.DictVectorizer": _if_typed,
    "ai.onnx.ml.LabelEncoder": _if_typed,
    "ai.onnx.ml.TreeEnsemble": _if_typed,
    "LayerNormalization": _if_int("axis", -_FAR, _FAR),
    "GatherND": _if_int("batch_dims", 0, _FAR),
    "Split": _if_split_evenly,
    "Einsum": _if_equation,
    "Slice": lambda _: Fate.SAFE,
}
_BY_NEGATIVE_DIMS = frozenset({"GatherND", "Slice"})
_SOURCES = (
    "CenterCropPad",
    "ConstantOfShape",
    "Expand",
    "Multinomial",
    "OneHot",
    "Pad",
    "Range",
    "Resize",
    "STFT",
    "TfIdfVectorizer",
    "Tile",
    "Upsample",
    "ai.onnx.ml.TreeEnsembleRegressor",
)
"""Operators whose results have negative dims if the numbers that they are given are absurd."""


def _may_make_negative_dims(node: Node) -> bool:
    return any(not 0 <= number < _HUGE for number in _numbers(node))


def _numbers(node: Node) -> Iterator[float]:
    for attribute in node.attributes.values():
        if isinstance(attribute, int | float):
            yield attribute
        elif isinstance(attribute, tuple):
            yield from (each for each in attribute if isinstance(each, int | float))
    for value in node.inputs[1:]:
        if value is not None and value.tensor is not None:
            yield from value.tensor.plain() or ()


def _hide(proto: ModelProto, operators: frozenset[str]) -> None:
    proto.opset_import.add(domain=_OWN_DOMAIN, version=1)
    _hide_in(proto.graph, operators)
    for function in proto.functions:
        function.opset_import.add(domain=_OWN_DOMAIN, version=1)
        _hide_in(function, operators)


def _hide_in(graph: GraphProto, operators: frozenset[str]) -> None:
    for node in graph.node:
        domain = "" if node.domain == "ai.onnx" else node.domain
        if (f"{domain}.{node.op_type}" if domain else node.op_type) in operators:
            node.domain = _OWN_DOMAIN
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _hide_in(attribute.g, operators)
            for inner in attribute.graphs:
                _hide_in(inner, operators)
