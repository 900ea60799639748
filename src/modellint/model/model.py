"""One model file, seen from outside its format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from modellint.base.memo import Memo
from modellint.base.records import dataclass
from modellint.capability import Capability
from modellint.model.architecture import Architecture
from modellint.model.dims import MOST, Shape
from modellint.model.dtypes import DType
from modellint.model.graph import Graph, Node, Value
from modellint.model.reading import Reading
from modellint.model.tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GRAPHS = frozenset({Capability.GRAPH, Capability.LAYERS})


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of the file itself, found while reading it.

    Rules report a `kind`; `facts` fill the rule's message. A `fatal` problem means that the
    model could not be read.
    """

    kind: str
    facts: Mapping[str, object] = field(default_factory=dict)
    value: str | None = None
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A node with invalid inputs, or whose output is `recorded` with a different shape."""

    op_type: str
    node: str
    """Its name, which may be empty."""
    detail: str
    recorded: bool


@dataclass(frozen=True, slots=True)
class Inference:
    """Result of shape inference: types by graph path and value name, or the error."""

    types: Mapping[tuple[str, str], tuple[DType | None, Shape | None]]
    error: str | None = None
    contradiction: Contradiction | None = None
    """The first contradiction; later ones may only be consequences."""


class InferTypes(Protocol):
    """A reader's shape inference: shapes for the main graph's inputs in, types of values out.

    `constants` are elements of values of the main graph that are known besides. It never raises.
    With `strict`, it gives no types where anything contradicts, but says what; with `unrecorded`,
    it disregards the types that the file records of what nodes compute.
    """

    def __call__(
        self,
        inputs: Mapping[str, Shape],
        constants: Mapping[str, NDArray[Any]] | None = None,
        *,
        strict: bool = False,
        unrecorded: bool = False,
    ) -> Inference: ...


class Model:
    """The lightweight view of one file: what it is, its graph, its tensors, its problems."""

    __slots__ = (
        "_graphs",
        "_inference",
        "_strict_inference",
        "architecture",
        "capabilities",
        "died",
        "external_files",
        "file_size",
        "format",
        "format_facts",
        "functions",
        "graph",
        "infer_types",
        "memo",
        "metadata",
        "path",
        "problems",
        "producer_name",
        "producer_version",
        "reading",
        "tensors",
    )

    def __init__(self, path: Path, format: str) -> None:
        self.path = path
        self.format = format
        self.file_size = 0
        self.capabilities: frozenset[Capability] = frozenset()
        self.graph = Graph(self, "")
        """The main graph; empty where the format has none."""
        self.functions: dict[tuple[str, str, str], Graph] = {}
        """Graphs that nodes call, by the domain, op type and overload that such nodes have."""
        self.tensors: list[Tensor] = []
        """All stored tensors of the file."""
        self.architecture: Architecture | None = None
        """Of a language model, if the file states it."""
        self.metadata: Mapping[str, str] = {}
        self.producer_name = ""
        self.producer_version = ""
        self.external_files: list[Path] = []
        """Weight files that the model names and that belong in its folder, there or missing."""
        self.problems: list[Problem] = []
        self.format_facts: object = None
        """Facts specific to the format, accessed by a function of its package."""
        self.infer_types: InferTypes | None = None
        self.reading = Reading(path.name)
        """Budget of the weights that rules read in full."""
        self.died = ""
        """End of a process that was asked about the model, if it died."""
        self.memo = Memo()
        """Results of analyses that several deployments share."""
        self._graphs: dict[bool, tuple[Graph, ...]] = {}
        self._inference: Inference | None = None
        self._strict_inference: Inference | None = None

    @property
    def has_graph(self) -> bool:
        """True if the file states nodes: the author's, or those that a runtime built."""
        return bool(self.capabilities & _GRAPHS)

    @property
    def inputs(self) -> list[Value]:
        return self.graph.inputs

    @property
    def outputs(self) -> list[Value]:
        return self.graph.outputs

    @property
    def fed(self) -> list[Value]:
        """Return the inputs that the caller provides: those without an initializer."""
        return [v for v in self.inputs if not v.is_constant and v.type_name == "tensor"]

    def infer(self) -> Inference:
        """Infer the types of all values once, and record them on the values."""
        if self._inference is None:
            if self.infer_types is None:
                self._inference = Inference({})
            else:
                strict = self.infer_strictly()
                found = strict.contradiction
                is_wrong = found is not None and found.recorded
                self._inference = (
                    strict if strict.types else self.infer_types({}, unrecorded=is_wrong)
                )
                self._record(self._inference, Value.correct if is_wrong else Value.refine)
        return self._inference

    def _record(
        self, inference: Inference, add: Callable[[Value, DType | None, Shape | None], None]
    ) -> None:
        for graph in self.graphs():
            path = graph.path
            for name, value in graph.values.items():
                known = inference.types.get((path, name))
                if known is not None:
                    add(value, *known)

    def infer_strictly(self) -> Inference:
        """Run inference that fails at any contradiction and reports it."""
        if self._strict_inference is None:
            if self.infer_types is None:
                self._strict_inference = Inference({})
            else:
                self._strict_inference = self.infer_types({}, strict=True)
        return self._strict_inference

    def graphs(self, *, functions: bool = False) -> tuple[Graph, ...]:
        """Return the main graph and its subgraphs; with `functions`, also their bodies.

        They are walked once, so the model has to be complete.
        """
        if functions not in self._graphs:
            outermost = (self.graph, *(self.functions.values() if functions else ()))
            self._graphs[functions] = tuple(each for graph in outermost for each in graph.walk())
        return self._graphs[functions]

    def nodes(self, *ops: str, functions: bool = False) -> Iterator[Node]:
        """Iterate over the nodes of all graphs, or only those of some op types."""
        for graph in self.graphs(functions=functions):
            if not ops:
                yield from graph.nodes
            for op in ops:
                yield from graph.by_op.get(op, ())

    def function_of(self, node: Node) -> Graph | None:
        """The graph that a node calls."""
        return self.functions.get((node.domain, node.op_type, node.overload))

    @property
    def weight_bytes(self) -> int:
        return min(sum(tensor.nbytes for tensor in self.tensors), MOST)

    def __repr__(self) -> str:
        return f"Model({str(self.path)!r}, {self.format})"


__all__ = ["Capability", "Contradiction", "Inference", "Model", "Problem", "Tensor", "Value"]
