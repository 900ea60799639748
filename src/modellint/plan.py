"""The plan for linting a file, and the resulting report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from modellint.base.records import dataclass
from modellint.base.standins import Fetched
from modellint.results.finding import MOST_FINDINGS, Finding, ModelSummary, Severity
from modellint.rules.rule import Rule
from modellint.targets.deployment import Deployment

if TYPE_CHECKING:
    from modellint.probes import Outcome, ProbeRequest
    from modellint.results.measured import MeasuredRun


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Everything that linting a file needs besides the file. Plans compare by identity."""

    rules: tuple[Rule, ...]
    deployments: tuple[Deployment, ...] = (Deployment(),)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Option values by rule code, on top of the rules' defaults."""
    severities: Mapping[str, Severity] = field(default_factory=dict)
    """Severity overrides by rule code."""
    read_weights: bool = True
    weights_budget: int | None = None
    """Bytes of a file's weights that each question may read in full; None for the default."""
    most_findings: int = MOST_FINDINGS
    """Number of findings of a rule that are listed for a file; one more counts the rest."""
    inline_suppressions: bool = True
    verify: str | None = None
    """Runtime whose optimizer verifies predictions."""
    probe: ProbeRequest | None = None
    """Options for probing models with real runtimes; None without probes."""
    profile: MeasuredRun | None = None
    """A measured run of the model, for rules that need one."""

    def may_ask(self, rule: Rule) -> bool:
        """Return False if the run does not provide what the rule needs, whatever the model."""
        if rule.problem is not None:
            return True
        return not (
            rule.check == "engine"
            or ("weights" in rule.reads and not self.read_weights)
            or ("probe" in rule.needs and self.probe is None)
            or ("profile" in rule.needs and self.profile is None)
        )


@dataclass(frozen=True, slots=True)
class FileReport:
    """Result of linting a file."""

    summary: ModelSummary
    findings: tuple[Finding, ...]
    timings: Mapping[str, float] = field(default_factory=dict)
    """Seconds per rule that was asked; empty if the report was cached."""
    companions: tuple[str, ...] = ()
    """Other files that the findings depend on."""
    bindable: tuple[str, ...] = ()
    """Names of inputs and dims that a deployment may set sizes for, if it sets any."""
    probes: tuple[Outcome, ...] = ()
    """Outcomes of probes, one per deployment."""
    fetched: Fetched | None = None
    """Cost of reading a remote model in this run."""
