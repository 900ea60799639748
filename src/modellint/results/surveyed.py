"""Runs over many models, as `modellint fleet` knows them: all that their reports know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, field
from typing import Any, Literal

from modellint.base.records import dataclass
from modellint.base.version import __version__

By = Literal["rule", "team", "owner", "target"]
BY: tuple[By, ...] = ("rule", "team", "owner", "target")


@dataclass(frozen=True, slots=True)
class Counts:
    """Findings that count, by severity."""

    errors: int = 0
    warnings: int = 0
    infos: int = 0

    @property
    def total(self) -> int:
        return self.errors + self.warnings + self.infos

    @property
    def rank(self) -> tuple[int, int, int]:
        return self.errors, self.warnings, self.infos


@dataclass(frozen=True, slots=True)
class SurveyedRun:
    """One run over many models."""

    results: str
    modellint: str
    settings: str
    """Key of the settings and rules."""
    started: str
    finished: str | None
    """None if it is not finished: its figures are those of some of the models."""
    engine: str
    workers: int
    seconds: float
    models: int
    suppressed: int
    counts: Counts
    deployments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SurveyedGroup:
    """Findings of one rule, team, owner or target."""

    name: str
    title: str
    """Its meaning, such as the name of a rule."""
    models: int
    """Models of an owner or team; else those that have such findings."""
    clean: int
    """Of these, those without any such finding."""
    counts: Counts
    before: Counts | None = None
    """In the earlier run; None without one."""


@dataclass(frozen=True, slots=True)
class SurveyedModel:
    """A model, for lists of the worst and the slowest."""

    path: str
    counts: Counts
    seconds: float
    bytes: int
    owners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FleetTrend:
    """Differences from the earlier run."""

    added: int
    removed: int
    """Models that are only in one of the runs."""
    changed: int
    """Models whose files are others."""
    new: Counts
    fixed: Counts
    """Findings that are only in one of the runs, of models that are in both."""
    new_by_rule: Mapping[str, int]
    fixed_by_rule: Mapping[str, int]
    worse: tuple[tuple[str, Counts], ...]
    """The models with the most new findings."""


@dataclass(frozen=True, slots=True)
class Survey:
    """A run, summed up by something; with an earlier one, what is different from it."""

    by: By
    run: SurveyedRun
    without_errors: int
    """Models that have no errors."""
    groups: tuple[SurveyedGroup, ...]
    worst: tuple[SurveyedModel, ...]
    slowest: tuple[SurveyedModel, ...]
    died: tuple[str, ...]
    """Models that killed the process that linted them."""
    against: SurveyedRun | None = None
    trend: FleetTrend | None = None
    notes: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        return {"version": 1, "kind": "modellint-survey", "modellint": __version__, **asdict(self)}
