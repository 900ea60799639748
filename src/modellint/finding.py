"""What a lint run says: findings, and the summary of a run. Reports know nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class Severity(IntEnum):
    """How bad a finding is; ordered, so that `severity >= fail_on` reads as it says."""

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
        """The shortest name a reader recognises the place by; empty for the whole file."""
        return self.node or self.value or ""


@dataclass(frozen=True, slots=True)
class FrameRow:
    """One node, or stored tensor, of a frame."""

    op: str
    name: str
    detail: str
    focus: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """The neighbourhood of a place, drawn by reports as a compiler draws source lines."""

    rows: tuple[FrameRow, ...]
    note: str = ""
    """What stands under the offending row."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer of one rule about one place of one model."""

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
    """Why the finding is not counted, when it is suppressed."""
    variant: str = ""
    """Which of the rule's wordings this is: reports group findings of the same one."""
    frame: Frame | None = None

    @property
    def is_internal(self) -> bool:
        """Whether it is about a failure of modellint, not about the model."""
        return self.family == "internal"


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """What a report says of a linted file besides its findings."""

    path: str
    format: str
    capabilities: tuple[str, ...] = ()
    nodes: int | None = None
    parameters: int | None = None
    weight_bytes: int | None = None
    rules_asked: int = 0
    """How many of the run's rules apply to what the file has."""
    rules_planned: int = 0
    cached: bool = False


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """What a report says of a rule: the texts of its file, without its check."""

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
    """What a report says of one model that a real runtime was asked about."""

    path: str
    backend: str
    version: str
    target: str | None
    status: str
    level: str
    detail: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    """Seconds, bytes and counts by name, as far as the runtime told them."""
    placement: Mapping[str, int] = field(default_factory=dict)
    """Nodes by execution provider."""
    layers: tuple[str, ...] = ()
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """A whole lint run."""

    models: tuple[ModelSummary, ...]
    findings: tuple[Finding, ...]
    """Everything found, suppressed findings included."""
    rules: Mapping[str, RuleInfo]
    """Every rule that ran, by code."""
    exit_code: int
    seconds: float
    deployments: tuple[str, ...] = ()
    """What was linted for, in words, for example ``a10 (tensorrt, fp16)``."""
    timings: Mapping[str, float] = field(default_factory=dict)
    """Seconds per rule code, and per stage under ``(read)``, ``(infer)``."""
    probes: tuple[Probed, ...] = ()
    """What real runtimes said, by model and deployment, when they were asked."""

    @property
    def active(self) -> list[Finding]:
        """The findings that count."""
        return [finding for finding in self.findings if finding.suppressed is None]

    def count(self, severity: Severity) -> int:
        return sum(finding.severity is severity for finding in self.active)
