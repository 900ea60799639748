"""What only ONNX files state. Rules that ask for it say `dialect = "onnx"`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from modellint.base.records import dataclass
from modellint.model import Attribute, AttributeRef, Graph, Model, Node, Value

DEFAULT_DOMAIN = ""


@dataclass(frozen=True, slots=True)
class Function:
    """A model-local function: a named body that nodes call as an op."""

    graph: Graph
    opsets: Mapping[str, int]
    attributes: tuple[str, ...] = ()
    """Names of attributes that every call has to give."""
    defaults: Mapping[str, Attribute] = field(default_factory=dict)
    """Attributes that a call may leave out."""

    def arguments(self, call: Node) -> Mapping[str, Value | None]:
        """What the call passes for each input of the body, by the name it has there."""
        return {value.name: call.input(at) for at, value in enumerate(self.graph.inputs)}

    def attribute(self, call: Node, value: Attribute | None) -> Attribute | None:
        """What an attribute found in the body is for this call."""
        if isinstance(value, AttributeRef):
            return call.attributes.get(value.name, self.defaults.get(value.name))
        return value


@dataclass(frozen=True, slots=True)
class OnnxFacts:
    """The part of an ONNX file that is not about the network in it."""

    ir_version: int | None = None
    opsets: Mapping[str, int] = field(default_factory=dict)
    """Versions of the imported operator sets by domain."""
    functions: Mapping[Graph, Function] = field(default_factory=dict)
    """Model-local functions by their body."""
    training: tuple[Graph, ...] = ()
    """Graphs of the training information; they are no part of what is deployed."""

    @property
    def opset(self) -> int | None:
        """The version of the default operator set."""
        return self.opsets.get(DEFAULT_DOMAIN)

    def opsets_of(self, graph: Graph) -> Mapping[str, int]:
        """The operator sets that a graph's nodes come from: a function imports its own."""
        while graph.parent is not None:
            graph = graph.parent.graph
        function = self.functions.get(graph)
        return function.opsets if function is not None else self.opsets


_NONE = OnnxFacts()


def onnx_facts(model: Model) -> OnnxFacts:
    """What an ONNX file states besides its network; nothing for any other file."""
    return model.format_facts if isinstance(model.format_facts, OnnxFacts) else _NONE
