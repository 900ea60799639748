"""Nodes that onnx's shape inference does not survive, or may not.

`deadly.json` lists the operators that `tools/measure_inference.py` found to end the process. Each
has a condition here under which it does; without one, it is only asked in another process.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellint.base.expressions import late
from modellint.base.records import dataclass
from modellint.formats.onnx.names import named_graphs
from modellint.formats.onnx.windows import Least, least_sizes
from modellint.model import HIGHEST_RANK, AttributeRef, Model, Node, Shape, small_integers
from modellint.native import messages
from modellint.operators import Trait, names

if TYPE_CHECKING:
    from onnx import ModelProto

_OWN_DOMAIN = "modellint.deadly"
"""Deadly operators are moved to this domain: inference skips unknown operators."""
_ODD_PROBLEMS = frozenset(
    {"invalid-tensor", "duplicate-initializer", "duplicate-value", "duplicate-constant"}
)
_FAR = 1000
"""More than any rank; a number beyond it may be any number."""
_LABELS = late(r"[A-Za-z\s]*")
_HUGE = 1 << 31
_LONGEST_STEP = 1 << 30
"""Places are added up in 32 bits."""
_HUGE_DIM = 1 << 48
"""Sums of some of them overflow."""
_CONTINUED = bytes(byte >> 7 for byte in range(256))
"""By byte: 1 if the number that it is part of goes on, if it is part of a number."""
_LONG_NUMBER = b"\1" * 6
"""Part of any huge number, and of any negative one."""


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
    negative_dims: bool = False
    """True if there are dims to be cleared."""
    least: tuple[Least, ...] = ()
    """Sizes of inputs from which on no result has negative dims."""

    def is_apart(self, inputs: Mapping[str, Shape]) -> bool:
        """Return True if another process has to be asked about such inputs."""
        return self.apart or not all(each.holds(inputs) for each in self.least)

    def after_death(self) -> Danger | None:
        """Return how to ask again, about no operator that ever killed; None if it was so asked."""
        if self.deadly >= _measured():
            return None
        return Danger(_measured(), self.apart, self.negative_dims, self.least)

    def cleaned(self, serialized: bytes) -> bytes:
        """Return a model without what inference is known to die of."""
        if not self.deadly and not self.negative_dims:
            return serialized
        proto = messages().ModelProto.FromString(serialized)
        _hide(proto, self.deadly)
        for dim in _dims(proto, nested=True):
            if dim.dim_value < 0:
                dim.ClearField("dim_value")  # open, as the reader takes it
        return bytes(proto.SerializeToString())


def danger_of(model: Model, proto: ModelProto, serialized: bytes) -> Danger:
    """Return the danger of a model whose protobuf is `serialized` so, or with other types."""
    deadly, apart, by_negative_dims = set(), _is_broken(model), False
    graphs = list(model.graphs(functions=True))
    for graph in graphs:
        for op in _dangerous() & graph.by_op.keys():
            condition = _CONDITIONS.get(op)
            fates = {condition(node) for node in graph.by_op[op]} if condition else {Fate.UNSURE}
            if Fate.DEADLY in fates:
                deadly.add(op)
            apart |= Fate.UNSURE in fates
            by_negative_dims |= op in _BY_NEGATIVE_DIMS
    dims: Sequence[int] = ()
    least: tuple[Least, ...] | None = ()
    if _LONG_NUMBER in serialized.translate(_CONTINUED):  # which is rare
        dims = [dim.dim_value for dim in _dims(proto, nested=len(graphs) > 1)]
    if by_negative_dims:
        # Absurd numbers give their results negative dims.
        sources = model.nodes(*names(Trait.STRETCHED), functions=True)
        apart |= max(dims, default=0) > _HUGE_DIM or any(map(_may_make_negative_dims, sources))
        apart = apart or any(map(_may_take_away, model.nodes(*_SIZED, functions=True)))
        least = () if apart else least_sizes(model)
    negative_dims = min(dims, default=0) < 0
    return Danger(frozenset(deadly), apart or least is None, negative_dims, least or ())


def _is_broken(model: Model) -> bool:
    return any(problem.kind in _ODD_PROBLEMS for problem in model.problems)


@cache
def _measured() -> frozenset[str]:
    """Return the qualified operators that killed inference."""
    table = json.loads(Path(__file__).with_name("deadly.json").read_text(encoding="utf-8"))
    return frozenset(table["operators"])


@cache
def _dangerous() -> frozenset[str]:
    return _measured() | _CONDITIONS.keys()


def _if_typed(node: Node) -> Fate:
    """It looks at the type of its input without asking whether there is one."""
    value = node.input(0)
    if value is None:
        return Fate.DEADLY
    if value.producer is not None or value.graph is not value.graph.model.graph:
        return Fate.UNSURE
    if not value.is_input:  # it takes the types of stored tensors from IR version 4 on
        return Fate.UNSURE
    # As declared: this is asked before anything is inferred.
    is_typed = value.declared_dtype is not None or value.type_name != "tensor"
    return Fate.SAFE if is_typed else Fate.DEADLY


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
    return Fate.SAFE if isinstance(equation, str) and _is_sound(equation) else Fate.DEADLY


def _is_sound(equation: str) -> bool:
    """Return True for terms of letters, each with one ellipsis at most: two are a loop."""
    inputs, _, output = equation.partition("->")
    terms = (*inputs.split(","), output)
    return all(_LABELS.fullmatch(term.replace("...", "", 1)) for term in terms)


def _if_short_steps(node: Node) -> Fate:
    """It follows the steps of a shape's Slice to wherever in the memory they lead."""
    steps = node.input(4)
    if steps is None or (steps.is_input and steps.tensor is None and steps.graph.parent is None):
        return Fate.SAFE
    numbers = small_integers(steps)
    if numbers is None:
        return Fate.UNSURE
    return Fate.SAFE if all(abs(step) < _LONGEST_STEP for step in numbers) else Fate.DEADLY


def _if_few_sizes(place: int) -> Callable[[Node], Fate]:
    """It gives its result a dim for each element of an input, of which a file may declare any."""

    def condition(node: Node) -> Fate:
        value = node.input(place)
        shape = value.declared_shape if value is not None else None
        count = shape[0] if shape is not None and len(shape) == 1 else 0
        return Fate.DEADLY if isinstance(count, int) and count > HIGHEST_RANK else Fate.SAFE

    return condition


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
    "Slice": _if_short_steps,
    "ConstantOfShape": _if_few_sizes(0),
    "Expand": _if_few_sizes(1),
    "Reshape": _if_few_sizes(1),
}
_BY_NEGATIVE_DIMS = frozenset({"GatherND", "Slice"})
_SIZED = names(Trait.BROADCAST)
_OF_LISTS = frozenset(names(Trait.PROPAGATED))
_ARITHMETIC = _OF_LISTS & {*names(Trait.ARITHMETIC)}
_TAKES_AWAY = _ARITHMETIC - {*names(Trait.COMMUTATIVE)}


def _may_make_negative_dims(node: Node) -> bool:
    return any(not 0 <= number < _HUGE for number in _numbers(node))


def _may_take_away(node: Node) -> bool:
    """Return True if what a node gives its result as dims may be a difference below zero."""
    seen: set[int] = set()
    waiting = [*node.inputs[1:]]
    while waiting:
        value = waiting.pop()
        maker = value.producer if value is not None and value.tensor is None else None
        if maker is None or maker.op_type not in _OF_LISTS or id(maker) in seen:
            continue
        seen.add(id(maker))
        if len(seen) > _FAR or maker.op_type in _TAKES_AWAY:
            return True
        if maker.op_type in _ARITHMETIC and any(number < 0 for number in _numbers(maker, 0)):
            return True
        waiting += maker.inputs
    return False


def _numbers(node: Node, first: int = 1) -> Iterator[float]:
    for attribute in node.attributes.values():
        if isinstance(attribute, int):
            yield attribute
        elif isinstance(attribute, tuple):
            yield from (each for each in attribute if isinstance(each, int | float))
    for value in node.inputs[first:]:
        if value is not None and value.tensor is not None:
            yield from value.tensor.plain() or ()


def _hide(proto: ModelProto, operators: frozenset[str]) -> None:
    proto.opset_import.add(domain=_OWN_DOMAIN, version=1)
    for function in proto.functions:
        function.opset_import.add(domain=_OWN_DOMAIN, version=1)
    for graph in _graphs(proto, nested=True):
        for node in graph.node:
            domain = "" if node.domain == "ai.onnx" else node.domain
            if (f"{domain}.{node.op_type}" if domain else node.op_type) in operators:
                node.domain = _OWN_DOMAIN


def _graphs(proto: ModelProto, *, nested: bool) -> Iterator[Any]:
    """Iterate over graphs and functions; looking for nested ones takes longer."""
    pending: list[Any] = [proto.graph, *proto.functions]
    while pending:
        graph = pending.pop()
        yield graph
        if nested:
            pending += (inner for node in graph.node for _, inner in named_graphs(node))


def _dims(proto: ModelProto, *, nested: bool) -> Iterator[Any]:
    """Iterate over the dims of all types that a model declares."""
    for graph in _graphs(proto, nested=nested):
        for field in ("input", "output", "value_info"):
            for info in getattr(graph, field):
                if not isinstance(info, str):  # a function's inputs have no type
                    yield from _dims_of(info.type)


def _dims_of(proto: Any) -> Iterator[Any]:
    while (kind := proto.WhichOneof("value")) in _CONTAINERS:
        proto = getattr(getattr(proto, kind), _CONTAINERS[kind])
    if kind in ("tensor_type", "sparse_tensor_type"):
        yield from getattr(proto, kind).shape.dim


_CONTAINERS = {
    "sequence_type": "elem_type",
    "optional_type": "elem_type",
    "map_type": "value_type",
}
