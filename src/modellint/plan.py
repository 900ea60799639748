"""What linting one file needs besides the file, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modellint.finding import Finding, ModelSummary, Severity
from modellint.rules.rule import Rule
from modellint.targets.deployment import Deployment

if TYPE_CHECKING:
    from modellint.probes import Outcome, ProbeRequest


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Everything that linting one file needs besides the file. A plan is equal to itself alone."""

    rules: tuple[Rule, ...]
    deployments: tuple[Deployment, ...] = (Deployment(),)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Values by rule code, on top of the rules' defaults."""
    severities: Mapping[str, Severity] = field(default_factory=dict)
    """Overrides by rule code."""
    read_weights: bool = True
    inline_suppressions: bool = True
    verify: str | None = None
    """The runtime whose optimizer is asked whether predictions hold."""
    probe: ProbeRequest | None = None
    """What real runtimes are asked, when they are."""


@dataclass(frozen=True, slots=True)
class FileReport:
    """What came of one file."""

    summary: ModelSummary
    findings: tuple[Finding, ...]
    timings: Mapping[str, float] = field(default_factory=dict)
    companions: tuple[str, ...] = ()
    """Other files that the findings depend on."""
    bindable: tuple[str, ...] = ()
    """Names of inputs and of dims that a deployment may give sizes to, when it gives any."""
    probes: tuple[Outcome, ...] = ()
    """What runtimes said of the file, one for each deployment, when they were asked."""
