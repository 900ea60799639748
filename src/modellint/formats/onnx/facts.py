"""Facts specific to ONNX files, for rules with `dialect = "onnx"`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from modellint.base.records import dataclass
from modellint.model import Attribute, AttributeRef, Graph, Model, Node, Value

DEFAULT_DOMAIN = ""
FIRST_WITH_DEFAULTS = 4
"""IR version since which an initializer that is an input, too, is the input's default."""


@dataclass(frozen=True, slots=True)
class Function:
    """A model-local function: a named body that nodes call as an op."""

    graph: Graph
    opsets: Mapping[str, int]
    attributes: tuple[str, ...] = ()
    """Names of attributes required in every call."""
    defaults: Mapping[str, Attribute] = field(default_factory=dict)
    """Optional attributes with their defaults."""

    def arguments(self, call: Node) -> Mapping[str, Value | None]:
        """Return the arguments of a call, by the names of the body's inputs."""
        return {value.name: call.input(at) for at, value in enumerate(self.graph.inputs)}

    def attribute(self, call: Node, value: Attribute | None) -> Attribute | None:
        """Resolve an attribute of the body for this call."""
        if isinstance(value, AttributeRef):
            return call.attributes.get(value.name, self.defaults.get(value.name))
        return value


@dataclass(frozen=True, slots=True)
class SavedSession:
    """Content of a file in ONNX Runtime's own format besides the model."""

    format_version: str
    kernel_hashes: int = 0
    """Kernels that were chosen when it was saved, by hash: formats before version 5."""
    kernel_types: int = 0
    """Operators for which it says how types select a kernel: since version 5."""
    optimizations: int = 0
    """Optimizations that were found when it was saved, for the runtime to apply on loading."""


@dataclass(frozen=True, slots=True)
class OnnxFacts:
    """Content of an ONNX file other than the network."""

    ir_version: int | None = None
    opsets: Mapping[str, int] = field(default_factory=dict)
    """Versions of the imported operator sets by domain."""
    functions: Mapping[Graph, Function] = field(default_factory=dict)
    """Model-local functions by their body."""
    training: tuple[Graph, ...] = ()
    """Graphs of the training information, which are not deployed."""
    session: SavedSession | None = None
    """For files in ONNX Runtime's own format."""
    spelled: tuple[Node, ...] = ()
    """Nodes that name the default domain, which usually goes without a name."""

    @property
    def opset(self) -> int | None:
        """Return the version of the default operator set."""
        return self.opsets.get(DEFAULT_DOMAIN)

    def opsets_of(self, graph: Graph) -> Mapping[str, int]:
        """Return the operator sets of a graph's nodes; functions import their own."""
        function = self.functions.get(graph.outermost)
        return function.opsets if function is not None else self.opsets


_NONE = OnnxFacts()


def onnx_facts(model: Model) -> OnnxFacts:
    """Return the facts of an ONNX file; empty for any other file."""
    return model.format_facts if isinstance(model.format_facts, OnnxFacts) else _NONE


def is_default(value: Value) -> bool:
    """Return True for a stored constant that a caller may replace."""
    ir_version = onnx_facts(value.graph.model).ir_version or 0
    return value.is_input and value.is_constant and ir_version >= FIRST_WITH_DEFAULTS


def normal_domain(domain: str) -> str:
    """Return the domain under its usual name: the default domain has two."""
    return "" if domain == "ai.onnx" else domain
