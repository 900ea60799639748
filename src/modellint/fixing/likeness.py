"""Comparison of two models by structure: names of inner values and the order of nodes are free."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from modellint.base.records import dataclass
from modellint.formats.onnx.facts import onnx_facts
from modellint.model import Graph, Model, Node, Tensor, Value, format_shape


@dataclass(frozen=True, slots=True)
class Likeness:
    """Identity of a model, apart from names inside it."""

    nodes: Counter[str]
    """Operators with all that leads to them."""
    interface: tuple[str, ...]
    rest: tuple[str, ...]
    """Operator sets, metadata, functions, names of graphs."""


def likeness(model: Model) -> Likeness:
    facts = onnx_facts(model)
    known: dict[Value, str] = {}
    graph = _GraphLikeness(model.graph, known, is_main=True)
    functions = [
        f"function {'.'.join(key)}: {_GraphLikeness(body, {}, is_main=True).text}"
        for key, body in model.functions.items()
    ]
    opsets = [f"opset {domain or 'ai.onnx'} {n}" for domain, n in facts.opsets.items()]
    metadata = [f"metadata {key}: {text}" for key, text in model.metadata.items()]
    return Likeness(
        Counter(graph.nodes),
        tuple(graph.interface),
        tuple(sorted([*functions, *opsets, *metadata, f"graph {model.graph.name}"])),
    )


def differences(wanted: Model, found: Model) -> list[str]:
    """Describe how a model differs from what it should be; empty if they are alike."""
    one, other = likeness(wanted), likeness(found)
    described = [f"missing: {line}" for line in _only(one.nodes, other.nodes)]
    described += [f"unexpected: {line}" for line in _only(other.nodes, one.nodes)]
    for name in ("interface", "rest"):
        ours, theirs = getattr(one, name), getattr(other, name)
        described += [f"missing: {line}" for line in ours if line not in theirs]
        described += [f"unexpected: {line}" for line in theirs if line not in ours]
    if not described and one.interface != other.interface:
        described.append("inputs or outputs are in another order")
    return described


def _only(one: Counter[str], other: Counter[str]) -> Iterable[str]:
    return sorted((one - other).elements())


class _GraphLikeness:
    def __init__(self, graph: Graph, known: dict[Value, str], *, is_main: bool) -> None:
        self.known = known
        self.interface: list[str] = []
        for at, value in enumerate(graph.inputs):
            name = value.name if is_main else str(at)
            known[value] = f"input {name} {_type(value)}"
            self.interface.append(known[value])
        for value in graph.initializers:
            tensor = value.tensor
            assert tensor is not None
            default = f" of {known[value]}" if value in known else ""
            known[value] = f"constant {_content(tensor)}{default}"
        self.nodes = [self._node(node) for node in graph.ordered]
        self.nodes += [known[v] for v in graph.initializers if not v.consumers and not v.is_output]
        for at, value in enumerate(graph.outputs):
            name = value.name if is_main else str(at)
            self.interface.append(f"output {name} {_type(value)}: {self._digest(value)}")

    @property
    def text(self) -> str:
        return _digest("\n".join([*sorted(self.nodes), *self.interface]))

    def _node(self, node: Node) -> str:
        inputs = [self._digest(value) for value in node.inputs]
        while inputs and inputs[-1] == "nothing":
            inputs.pop()
        attributes = [f"{key}={_attribute(v)}" for key, v in sorted(node.attributes.items())]
        for key, graph in sorted(node.subgraphs.items()):
            attributes.append(f"{key}={_GraphLikeness(graph, self.known, is_main=False).text}")
        text = f"{node.qualified_op} ({', '.join(inputs)}) <{', '.join(attributes)}>"
        for at, value in enumerate(node.outputs):
            if value is not None:
                self.known[value] = f"{node.op_type} {_digest(text)}:{at}"
        return text

    def _digest(self, value: Value | None) -> str:
        return "nothing" if value is None else self.known.get(value, "undefined")


def _type(value: Value) -> str:
    return f"{value.declared_dtype or '?'} {format_shape(value.declared_shape)}"


def _content(tensor: Tensor) -> str:
    elements = tensor.numpy()
    stored: Iterator[Any] | list[Any] = [] if elements is None else elements.reshape(-1).tolist()
    return f"{tensor.dtype} {list(tensor.shape)} {_digest(repr(list(stored)))}"


def _attribute(value: Any) -> str:
    if isinstance(value, Tensor):
        return _content(value)
    if isinstance(value, Mapping):
        return repr(sorted(value.items()))
    return repr(value)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
