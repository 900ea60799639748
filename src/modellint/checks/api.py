"""What a check is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from modellint.analysis.folding import Folding
from modellint.analysis.shapes import DeployedTypes
from modellint.base.records import dataclass
from modellint.finding import Severity
from modellint.model import DType, Graph, Model, Node, Shape, Tensor, Value
from modellint.targets.deployment import Deployment

if TYPE_CHECKING:
    from modellint.probes import Outcome, ProbeRequest
    from modellint.rules.rule import Rule

Place = Node | Value | Graph | Tensor | None
"""What a finding is about; None is the file as a whole."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer of a check. The words are in the rule's file; `facts` fill its placeholders."""

    place: Place = None
    facts: Mapping[str, object] = field(default_factory=dict)
    variant: str = ""
    """Which of the rule's `messages` to use instead of `message`."""
    severity: Severity | None = None
    """Instead of the rule's own, where one rule covers a harmless and a harmful case."""
    confidence: str | None = None
    count: int = 1
    """How many places one hit stands for."""
    related: tuple[Node, ...] = ()
    """Nodes to draw in the frame besides the place's own neighbours."""
    witness: Node | None = None
    """The node that is gone once a runtime has fused what the hit is about; else the place."""


class Analyses:
    """Facts computed once per model and deployment, and shared by all rules."""

    def __init__(
        self, model: Model, deployment: Deployment, probing: ProbeRequest | None = None
    ) -> None:
        self.model = model
        self.deployment = deployment
        self._results: dict[object, Any] = {}
        self._probing = probing

    @cached_property
    def operators(self) -> frozenset[str]:
        """The operators of all graphs, functions included, by their qualified names."""
        return frozenset(op for graph in self.model.graphs(functions=True) for op in graph.by_op)

    @cached_property
    def outcome(self) -> Outcome | None:
        """What a real runtime says of the model; None when none is to be asked."""
        if self._probing is None:
            return None
        from modellint.probes import probe

        return probe(self.model, self.deployment, self._probing)

    def get(self, analyse: Callable[[Model, Deployment], T]) -> T:
        """The result of `analyse`, computed on first need."""
        if analyse not in self._results:
            self._results[analyse] = analyse(self.model, self.deployment)
        result: T = self._results[analyse]
        return result


class Context:
    """Everything a check may ask: the model, the deployment, the rule's options, analyses."""

    __slots__ = ("_analyses", "absent", "options", "read_weights", "rule")

    def __init__(
        self,
        rule: Rule,
        analyses: Analyses,
        options: Mapping[str, Any],
        *,
        read_weights: bool = True,
    ) -> None:
        self.rule = rule
        self.options = options
        self.read_weights = read_weights
        self._analyses = analyses
        self.absent: set[str] | None = set()
        """Operators that were asked for in vain; None once anything else of the model was."""

    @property
    def model(self) -> Model:
        self.absent = None
        return self._analyses.model

    @property
    def deployment(self) -> Deployment:
        return self._analyses.deployment

    @property
    def for_tensorrt(self) -> bool:
        """True for TensorRT and for TensorRT for RTX, which share a builder."""
        return self.deployment.builder == "tensorrt"

    @property
    def outcome(self) -> Outcome | None:
        """What a real runtime says of the model, for rules that need a probe."""
        self.absent = None
        return self._analyses.outcome

    def analysis(self, analyse: Callable[[Model, Deployment], T]) -> T:
        """A shared fact, for example ``context.analysis(liveness)``."""
        if not self.lacks(getattr(analyse, "starts_from", ())):
            self.absent = None
        return self._analyses.get(analyse)

    def graphs(self) -> Iterator[Graph]:
        """The main graph, its subgraphs, and the bodies of model-local functions."""
        return self.model.graphs(functions=True)

    def nodes(self, *ops: str) -> Iterator[Node]:
        """Nodes of all graphs, functions included; given op types, only those."""
        return iter(()) if self.lacks(ops) else self.model.nodes(*ops, functions=True)

    def lacks(self, ops: Collection[str]) -> bool:
        """True if there are ops given, and no graph has any of them."""
        if not ops or not self._analyses.operators.isdisjoint(ops):
            self.absent = None
            return False
        if self.absent is not None:
            self.absent.update(ops)
        return True

    def lacks_any(self, choices: Iterable[Collection[str]]) -> bool:
        """True if there is a choice of ops of which no graph has any."""
        operators = self._analyses.operators
        absent = next((ops for ops in choices if operators.isdisjoint(ops)), None)
        return absent is not None and self.lacks(absent)

    def shape(self, value: Value) -> Shape | None:
        """The value's shape with the deployment's bindings applied."""
        return self.analysis(DeployedTypes).shape(value)

    def dtype(self, value: Value) -> DType | None:
        return value.dtype

    def is_frozen(self, value: Value) -> bool:
        """True for constants, and for what is computed of constants only."""
        return self.analysis(Folding).is_constant(value)


Check = Callable[[Context], Iterable[Hit]]
