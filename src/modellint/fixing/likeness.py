"""Comparison of two models by structure: names of inner values and the order of nodes are free."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

from modellint.base.records import dataclass
from modellint.formats.onnx.facts import onnx_facts
from modellint.model import Graph, Model, Node, Tensor, Value, format_shape
from modellint.operators import Trait, having

MOST_READ = 4096
"""Maximum size of a tensor whose elements count, wherever they are stored."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """Identity of a model, apart from names inside it."""

    nodes: Counter[str]
    """Operators with all that leads to them."""
    interface: tuple[str, ...]
    functions: tuple[str, ...]
    rest: tuple[str, ...]
    """Operator sets, metadata, the name of the graph."""


def likeness(model: Model, *, exact: bool = True) -> Likeness:
    """Return a model's identity; unless `exact`, without Identities and elements of weights."""
    facts = onnx_facts(model)
    graph = _GraphLikeness(model.graph, {}, exact, is_main=True)
    functions = [
        f"function {'.'.join(key)}: {_GraphLikeness(body, {}, exact, is_main=True).text}"
        for key, body in model.functions.items()
    ]
    opsets = [f"opset {domain or 'ai.onnx'} {n}" for domain, n in facts.opsets.items()]
    metadata = [f"metadata {key}: {text}" for key, text in model.metadata.items()]
    return Likeness(
        Counter(graph.nodes),
        tuple(graph.interface),
        tuple(sorted(functions)),
        tuple(sorted([*opsets, *metadata, f"graph {model.graph.name}"])),
    )


def differences(wanted: Model, found: Model) -> list[str]:
    """Describe how a model differs from the expected one; empty if they are equal."""
    one, other = likeness(wanted), likeness(found)
    described = [f"missing: {line}" for line in _only(one.nodes, other.nodes)]
    described += [f"unexpected: {line}" for line in _only(other.nodes, one.nodes)]
    for name in ("interface", "functions", "rest"):
        ours, theirs = getattr(one, name), getattr(other, name)
        described += [f"missing: {line}" for line in ours if line not in theirs]
        described += [f"unexpected: {line}" for line in theirs if line not in ours]
    if not described and one.interface != other.interface:
        described.append("inputs or outputs are in another order")
    return described


def _only(one: Counter[str], other: Counter[str]) -> Iterable[str]:
    return sorted((one - other).elements())


class _GraphLikeness:
    def __init__(
        self, graph: Graph, known: dict[Value, str], exact: bool, *, is_main: bool
    ) -> None:
        self.known = known
        self.exact = exact
        self.interface: list[str] = []
        for at, value in enumerate(graph.inputs):
            name = value.name if is_main else str(at)
            known[value] = f"input {name} {_type(value)}"
            self.interface.append(known[value])
        for value in graph.initializers:
            default = f" of {known[value]}" if value in known else ""
            known[value] = f"constant {self._tensor(value.tensor, value.name)}{default}"
        self.nodes = [self._node(node) for node in graph.ordered]
        self.nodes += [known[v] for v in graph.initializers if not v.consumers and not v.is_output]
        for at, value in enumerate(graph.outputs):
            name = value.name if is_main else str(at)
            self.interface.append(f"output {name} {_type(value)}: {self._digest(value)}")

    @property
    def text(self) -> str:
        """Return a digest of the whole graph, or only of the part that its outputs depend on."""
        return _digest("\n".join([*(sorted(self.nodes) if self.exact else ()), *self.interface]))

    def _node(self, node: Node) -> str:
        inputs = [self._digest(value) for value in node.inputs]
        while inputs and inputs[-1] == "nothing":
            inputs.pop()
        attributes = [f"{key}={self._attribute(v)}" for key, v in sorted(node.attributes.items())]
        for key, graph in sorted(node.subgraphs.items()):
            inner = _GraphLikeness(graph, self.known, self.exact, is_main=False)
            attributes.append(f"{key}={inner.text}")
        called = f"{node.qualified_op}:{node.overload}" if node.overload else node.qualified_op
        text = f"{called} ({', '.join(inputs)}) <{', '.join(attributes)}>"
        unique = ""
        if not self.exact and node.op_type in having(Trait.RANDOM):
            unique = node.label
        for at, value in enumerate(node.outputs):
            if value is not None:
                self.known[value] = f"{node.op_type} {_digest(text + unique)}:{at}"
        if not self.exact and node.qualified_op == "Identity" and inputs:
            output = node.output()
            if output is not None:
                self.known[output] = inputs[0]
        return text

    def _digest(self, value: Value | None) -> str:
        return "nothing" if value is None else self.known.get(value, "undefined")

    def _attribute(self, value: Any) -> str:
        if isinstance(value, Tensor):
            return self._tensor(value, "")
        if isinstance(value, tuple) and any(isinstance(each, Tensor) for each in value):
            return repr([self._attribute(each) for each in value])
        return repr(value)

    def _tensor(self, tensor: Tensor | None, name: str) -> str:
        assert tensor is not None
        kind = f"{tensor.dtype} {list(tensor.shape)}"
        by_name = not self.exact and tensor.nbytes > MOST_READ
        elements = None if by_name else tensor.numpy()
        if elements is None and not self.exact:
            return f"{kind} {name or tensor.name}"
        stored = [] if elements is None else elements.reshape(-1).tolist()
        return f"{kind} {_digest(repr(stored))}"


def _type(value: Value) -> str:
    return f"{value.declared_dtype or '?'} {format_shape(value.declared_shape)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
