"""Findings and the summary of a run: all that reports depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import IntEnum
from typing import Literal

from modellint.base.applicability import Applicability
from modellint.base.records import dataclass
from modellint.results.fixed import FileFixes

MOST_FINDINGS = 1000
"""Number of findings that a rule lists for a file, by default."""
MILLISECONDS = "milliseconds"
"""Fact with the measured time that a finding is about, by which findings are ranked."""
MORE = "more"
"""Variant of the finding that counts those of its rule that are not listed."""


class Severity(IntEnum):
    """Severity of a finding, ordered so that `severity >= fail_on` works."""

    INFO = 1
    WARNING = 2
    ERROR = 3

    @classmethod
    def parse(cls, text: str) -> Severity:
        return cls[text.upper()]

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a model. All None means the file as a whole."""

    graph: str | None = None
    node: str | None = None
    index: int | None = None
    op_type: str | None = None
    value: str | None = None

    @property
    def label(self) -> str:
        """Return the shortest recognizable name of the place; empty for the whole file."""
        return self.node or self.value or ""


@dataclass(frozen=True, slots=True)
class FrameRow:
    """One node or stored tensor in a frame."""

    op: str
    name: str
    detail: str
    focus: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """The neighborhood of a place, shown by reports the way a compiler shows source lines."""

    rows: tuple[FrameRow, ...]
    note: str = ""
    """Annotation under the offending row."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a rule about a place in a model."""

    code: str
    rule: str
    family: str
    severity: Severity
    message: str
    path: str
    location: Location = Location()
    why: str = ""
    fix: str = ""
    runtime: str | None = None
    target: str | None = None
    confidence: str | None = None
    evidence: Mapping[str, object] = field(default_factory=dict)
    count: int = 1
    fingerprint: str = ""
    suppressed: str | None = None
    """Reason, if the finding is suppressed."""
    variant: str = ""
    """Message variant of the rule; reports group findings of the same variant."""
    frame: Frame | None = None
    fails: bool = False
    """True if it is at or above --fail-on, so that the run fails."""
    fixable: Applicability | None = None
    """Trust in fixes of the rule, if files of this format can be fixed."""

    @property
    def nodes(self) -> list[str]:
        """Return the names of the nodes that the finding stands for, if there are several."""
        nodes = self.evidence.get("nodes")
        if not isinstance(nodes, list | tuple) or not len(nodes) == self.count > 1:
            return []
        return [str(node) for node in nodes]

    @property
    def milliseconds(self) -> float:
        """Return the measured time that the finding is about; 0 without a profile."""
        measured = self.evidence.get(MILLISECONDS, 0.0)
        return float(measured) if isinstance(measured, int | float) else 0.0

    @property
    def is_internal(self) -> bool:
        """Return True if the finding is about a failure of modellint rather than the model."""
        return self.family == "internal"


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """Summary of a linted file for reports."""

    path: str
    format: str
    capabilities: tuple[str, ...] = ()
    nodes: int | None = None
    parameters: int | None = None
    weight_bytes: int | None = None
    rules_asked: int = 0
    """Number of the run's rules that apply to the file."""
    rules_planned: int = 0
    cached: bool = False


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """Texts of a rule for reports."""

    code: str
    name: str
    family: str
    summary: str
    severity: Severity
    why: str
    fix: str
    markdown: str
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Probed:
    """Outcome of a probe for reports."""

    path: str
    backend: str
    version: str
    target: str | None
    status: str
    level: str
    detail: str = ""
    reason: str = ""
    """Reason why the answer is not a plain yes."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """Seconds, bytes and counts by name, as reported by the runtime."""
    placement: Mapping[str, int] = field(default_factory=dict)
    """Nodes by execution provider."""
    layers: tuple[str, ...] = ()
    cached: bool = False


Origin = Literal["given", "configured", "assumed"]
"""Source of a part of a deployment: the command line, a configuration file, or a default."""


@dataclass(frozen=True, slots=True)
class DeploymentPart:
    """A part of a deployment."""

    value: str | int | None
    """Its value; None if any, or as in the model."""
    origin: Origin
    option: str
    """The option that changes it."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """A deployment that models were linted for, and which parts of it were not stated."""

    deployment: str
    """Its description, for example ``a10 (tensorrt 11.5, fp16)``."""
    name: str
    """Its description without defaults, which change as new versions become known."""
    parts: Mapping[str, DeploymentPart]
    """Device, runtime, version, precision, batch, shapes, DLA."""


@dataclass(frozen=True, slots=True)
class Result:
    """Summary of a run."""

    models: tuple[ModelSummary, ...]
    findings: tuple[Finding, ...]
    """All findings, including suppressed ones."""
    rules: Mapping[str, RuleInfo]
    """All rules that ran, by code."""
    exit_code: int
    seconds: float
    assumptions: tuple[Assumptions, ...] = ()
    """The deployments that the models were linted for."""
    timings: Mapping[str, float] = field(default_factory=dict)
    """Seconds per rule code, and per stage as ``(read)`` and ``(infer)``."""
    probes: tuple[Probed, ...] = ()
    """Outcomes of probes, by model and deployment."""
    fixes: tuple[FileFixes, ...] = ()
    """Fixes of models, if the run was to fix any."""
    devices: Mapping[str, str] = field(default_factory=dict)
    """Names of the targets, as messages write them, by id."""

    @property
    def active(self) -> list[Finding]:
        """Return the findings that count."""
        return [finding for finding in self.findings if finding.suppressed is None]

    def count(self, severity: Severity) -> int:
        return sum(finding.severity is severity for finding in self.active)
