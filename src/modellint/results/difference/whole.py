"""Two models, and all that is different."""

from __future__ import annotations

from dataclasses import asdict, field
from typing import Annotated, Any, Literal

from modellint.base.records import dataclass
from modellint.base.version import __version__
from modellint.results.difference.figures import (
    BudgetCheck,
    DeviceDifference,
    FigureChange,
    MetricChange,
)
from modellint.results.difference.findings import FindingDifference
from modellint.results.difference.interface import SAME_DIALECT, InterfaceChange, ModelSide
from modellint.results.difference.language import LanguageDifference
from modellint.results.difference.nodes import CountChange, NodeDifference
from modellint.results.difference.precision import PrecisionDifference, QuantizationImpact
from modellint.results.difference.run import RunDifference
from modellint.results.difference.weights import WeightDifference
from modellint.results.inspection import Assumed


@dataclass(frozen=True, slots=True)
class Difference:
    """Two models. All fields are present; those that do not apply are null."""

    old: ModelSide
    new: ModelSide
    version: Literal[1] = 1
    modellint: Annotated[str, "The version of modellint that wrote this."] = __version__
    assumptions: Annotated[
        list[Assumed], "The deployments: what was stated, and what was assumed."
    ] = field(default_factory=list)
    interface: list[InterfaceChange] = field(default_factory=list)
    nodes: Annotated[NodeDifference | None, "Null unless both models have a graph."] = None
    blocks: list[CountChange] = field(default_factory=list)
    weights: WeightDifference | None = None
    precisions: Annotated[PrecisionDifference | None, "Null if no layer has another one."] = None
    figures: list[FigureChange] = field(default_factory=list)
    devices: list[DeviceDifference] = field(default_factory=list)
    findings: FindingDifference | None = None
    quantization: QuantizationImpact | None = None
    language: Annotated[
        LanguageDifference | None, "Null unless both models have tensors and no graph."
    ] = None
    metrics: Annotated[list[MetricChange] | None, "Null unless evaluations were given."] = None
    budgets: list[BudgetCheck] = field(default_factory=list)
    run: Annotated[RunDifference | None, "Null unless --run was given."] = None

    @property
    def is_readable(self) -> bool:
        sides = (self.old, self.new)
        return not any(problem.fatal for side in sides for problem in side.problems)

    @property
    def is_between_formats(self) -> bool:
        """Return True if the formats state operators differently: few attributes are compared."""
        formats = {self.old.format, self.new.format}
        return len(formats) > 1 and not formats <= SAME_DIALECT

    @property
    def breaking(self) -> list[InterfaceChange]:
        return [change for change in self.interface if change.breaking]

    @property
    def is_same(self) -> bool:
        """Return True if both models compute the same numbers, as far as weights were read."""
        nodes, weights, language = self.nodes, self.weights, self.language
        return (
            self.is_readable
            and self.precisions is None
            and (nodes is None or nodes.is_same)
            and (weights is None or weights.is_same)
            and (language is None or language.is_same)
        )

    @property
    def is_unchanged(self) -> bool:
        """Return True if numbers, inputs, outputs, findings and evaluations are the same."""
        found, run = self.findings, self.run
        return (
            self.is_same
            and not any(change.what in ("input", "output") for change in self.interface)
            and not (found is not None and (found.new or found.gone))
            and not any(check.exceeded for check in self.budgets)
            and not any(metric.old != metric.new for metric in self.metrics or ())
            and (run is None or run.is_same)
        )

    def to_json(self) -> dict[str, Any]:
        plain = asdict(self)
        first = ("version", "modellint", "old", "new")
        return {name: plain[name] for name in (*first, *(n for n in plain if n not in first))}

    def _repr_html_(self) -> str:
        from modellint.base.markup import table

        rows: list[tuple[str, object, object, str]] = [
            (f"{each.what} {each.name}", each.old or "", each.new or "", each.why)
            for each in self.interface
        ]
        rows += [(each.name, each.old, each.new, "") for each in self.figures]
        for side in (self.old, self.new):
            rows += [(side.path, "", "", problem.message) for problem in side.problems]
        said = "no difference" if self.is_unchanged else "breaks" if self.breaking else "changed"
        title = f"{self.old.path} → {self.new.path}: {said}"
        return table(title, ("what", "old", "new", "why it breaks"), rows)
