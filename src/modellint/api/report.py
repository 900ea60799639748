"""Findings about models, for Python programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from modellint.base.errors import UsageError
from modellint.base.records import dataclass
from modellint.results.finding import Finding, ModelSummary, Probed, Result, Severity

if TYPE_CHECKING:
    from modellint.results.fixed import FileFixes

FRAMES = ("pandas", "polars")
"""Data frame libraries, in order of preference."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of findings that count, and the run's time."""

    errors: int
    warnings: int
    infos: int
    models: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of a run. It iterates over them, and its length is their number."""

    result: Result
    """All that reports of the command line are made from."""
    notes: tuple[str, ...] = ()
    """Remarks about the run itself, such as models that git ignores."""

    @property
    def ok(self) -> bool:
        """True if no finding is as severe as `fail_on`, and nothing went wrong."""
        return self.result.exit_code == 0

    @property
    def findings(self) -> list[Finding]:
        """The findings that count: those that are not suppressed or known."""
        return self.result.active

    @property
    def suppressed(self) -> list[Finding]:
        """Findings that are suppressed, or known from a baseline."""
        return [each for each in self.result.findings if each.suppressed is not None]

    @property
    def models(self) -> tuple[ModelSummary, ...]:
        return self.result.models

    @property
    def probes(self) -> tuple[Probed, ...]:
        """Answers of real runtimes, if any was asked."""
        return self.result.probes

    @property
    def fixes(self) -> tuple[FileFixes, ...]:
        return self.result.fixes

    @property
    def summary(self) -> Summary:
        count = self.result.count
        return Summary(
            count(Severity.ERROR),
            count(Severity.WARNING),
            count(Severity.INFO),
            len(self.result.models),
            self.result.seconds,
        )

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __str__(self) -> str:
        """The text that the command line prints."""
        from modellint.report import render

        return render("full", self.result)

    def to_json(self) -> dict[str, Any]:
        """The content of `--output json`, by docs/schemas/report.schema.json."""
        from modellint.report.contract import document

        return dict(document(self.result))

    def to_dataframe(self, library: Literal["pandas", "polars"] | None = None) -> Any:
        """A data frame with a row for each finding, of the library that is installed."""
        from importlib import import_module

        for name in (library,) if library is not None else FRAMES:
            try:
                frames = import_module(name)
            except ImportError:
                continue
            return frames.DataFrame(self._columns())
        wanted = library or " or ".join(FRAMES)
        raise UsageError(f"a data frame needs {wanted}, which is not installed")

    def _columns(self) -> dict[str, list[Any]]:
        found = self.findings
        return {name: [read(each) for each in found] for name, read in _COLUMNS.items()}

    def _repr_html_(self) -> str:
        from modellint.base.markup import table
        from modellint.base.text import counted

        counts = self.summary
        parts = {"error": counts.errors, "warning": counts.warnings, "info": counts.infos}
        found = ", ".join(counted(number, name) for name, number in parts.items())
        title = f"{counted(counts.models, 'model')}: {found}"
        rows = [
            (each.path, str(each.severity), each.code, each.location.label, each.message)
            for each in sorted(self.findings, key=lambda each: -each.severity)
        ]
        return table(title, ("model", "severity", "rule", "place", "message"), rows)


_COLUMNS: dict[str, Any] = {
    "path": lambda each: each.path,
    "severity": lambda each: str(each.severity),
    "code": lambda each: each.code,
    "rule": lambda each: each.rule,
    "family": lambda each: each.family,
    "message": lambda each: each.message,
    "graph": lambda each: each.location.graph,
    "node": lambda each: each.location.node,
    "op_type": lambda each: each.location.op_type,
    "value": lambda each: each.location.value,
    "count": lambda each: each.count,
    "runtime": lambda each: each.runtime,
    "target": lambda each: each.target,
    "confidence": lambda each: each.confidence,
    "why": lambda each: each.why or None,
    "fix": lambda each: each.fix or None,
    "fixable": lambda each: each.fixable,
    "fingerprint": lambda each: each.fingerprint,
}
