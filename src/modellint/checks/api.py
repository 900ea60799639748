"""Interface of checks: their context, and the hits they return."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from modellint.base.records import dataclass
from modellint.forms.facts import Facts
from modellint.model import Graph, Model, Node, Tensor, Value
from modellint.model.features import features_of
from modellint.results.finding import Severity
from modellint.targets.deployment import Deployment

if TYPE_CHECKING:
    from modellint.probes import Outcome, ProbeRequest
    from modellint.profiles.profiled import ProfiledModel
    from modellint.results.measured import MeasuredRun
    from modellint.rules.rule import Rule

Place = Node | Value | Graph | Tensor | None
"""Place that a finding is about; None is the file as a whole."""

T = TypeVar("T")
_NO_CHOICES: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Hit:
    """A result of a check. The message is in the rule file; `facts` fill its placeholders."""

    place: Place = None
    facts: Mapping[str, object] = field(default_factory=dict)
    variant: str = ""
    """Name of the rule's message to use instead of `message`."""
    severity: Severity | None = None
    """Severity to use instead of the rule's, if the rule covers harmless and harmful cases."""
    confidence: str | None = None
    count: int = 1
    """Number of occurrences that the hit stands for."""
    places: tuple[Node, ...] = ()
    """The nodes that it stands for, if there are several."""
    related: tuple[Node, ...] = ()
    """Nodes to show in the frame besides the place's own neighbors."""
    witness: Node | None = None
    """Node that disappears once a runtime has fused the place; by default the place."""
    values: Mapping[str, Value] = field(default_factory=dict)
    """Values of a pattern's variables, for fixes."""


class Analyses:
    """Facts computed once per model and deployment, and shared by all rules."""

    def __init__(
        self,
        model: Model,
        deployment: Deployment,
        probing: ProbeRequest | None = None,
        profile: MeasuredRun | None = None,
    ) -> None:
        self.model = model
        self.deployment = deployment
        self._results: dict[object, Any] = {}
        self._probing = probing
        self._profile = profile

    @cached_property
    def operators(self) -> frozenset[str]:
        """Return the qualified names of the operators of all graphs, including functions."""
        return frozenset(op for graph in self.model.graphs(functions=True) for op in graph.by_op)

    @cached_property
    def features(self) -> frozenset[str]:
        """Return the operators, and what else is known to tell models apart cheaply."""
        return self.operators.union(features_of(self.model))

    @cached_property
    def outcome(self) -> Outcome | None:
        """Return the outcome of probing the model; None if the run does not probe."""
        if self._probing is None:
            return None
        from modellint.probes import probe

        return probe(self.model, self.deployment, self._probing)

    @cached_property
    def profiled(self) -> ProfiledModel | None:
        """Return the model with its measured run; None if this file has none."""
        if self._profile is None:
            return None
        from modellint.profiles.identity import is_of
        from modellint.profiles.profiled import ProfiledModel

        run = self._profile
        return ProfiledModel(run, self.model) if is_of(run, self.model.path) else None

    def get(self, analyse: Callable[[Model, Deployment], T]) -> T:
        """Return the result of `analyse`, computed on first use."""
        if analyse not in self._results:
            self._results[analyse] = analyse(self.model, self.deployment)
        result: T = self._results[analyse]
        return result


class Context(Facts):
    """Input of a check: the model, the deployment, the rule's options, and analyses."""

    __slots__ = ("_analyses", "absent", "choices", "options", "read_weights", "rule")

    def __init__(
        self,
        rule: Rule,
        analyses: Analyses,
        options: Mapping[str, Any],
        *,
        read_weights: bool = True,
        choices: Mapping[str, str] = _NO_CHOICES,
    ) -> None:
        self.rule = rule
        self.choices = choices
        """Choices of the user, for fixes that need one: ``{"dim:batch": "1"}``."""
        self.options = options
        self.read_weights = read_weights
        self._analyses = analyses
        self.absent: set[str] | None = set()
        """Features that were looked up but absent; None once anything else was accessed."""

    @property
    def model(self) -> Model:
        self.absent = None
        return self._analyses.model

    @property
    def deployment(self) -> Deployment:
        return self._analyses.deployment

    @property
    def for_tensorrt(self) -> bool:
        """Return True for TensorRT and TensorRT for RTX, which share a builder."""
        return self.deployment.builder == "tensorrt"

    @property
    def outcome(self) -> Outcome | None:
        """Return the outcome of probing the model, for rules that need a probe."""
        self.absent = None
        return self._analyses.outcome

    @property
    def profiled(self) -> ProfiledModel | None:
        """Return the model with its measured run, for rules that need a profile."""
        self.absent = None
        return self._analyses.profiled

    def analysis(self, analyse: Callable[[Model, Deployment], T]) -> T:
        """Return the result of a shared analysis, such as ``context.analysis(liveness)``."""
        if self.absent is not None and not self.lacks(getattr(analyse, "starts_from", ())):
            self.absent = None
        return self._analyses.get(analyse)

    def graphs(self) -> tuple[Graph, ...]:
        """Return the main graph, its subgraphs, and the bodies of functions."""
        return self.model.graphs(functions=True)

    def nodes(self, *ops: str) -> Iterator[Node]:
        """Iterate over the nodes of all graphs and functions, or only those of some op types."""
        return iter(()) if self.lacks(ops) else self.model.nodes(*ops, functions=True)

    def lacks(self, features: Collection[str]) -> bool:
        """Return True if ops or other features are given and the model has none of them."""
        if not features or not self._analyses.features.isdisjoint(features):
            self.absent = None
            return False
        if self.absent is not None:
            self.absent.update(features)
        return True

    def present(self, ops: Collection[str]) -> list[str]:
        """Return those of some ops that a graph has."""
        return [] if self.lacks(ops) else [op for op in ops if op in self._analyses.operators]

    def lacks_any(self, choices: Iterable[Collection[str]]) -> bool:
        """Return True if no graph has any op of one of the alternatives."""
        operators = self._analyses.operators
        absent = next((ops for ops in choices if operators.isdisjoint(ops)), None)
        return absent is not None and self.lacks(absent)


Check = Callable[[Context], Iterable[Hit]]
