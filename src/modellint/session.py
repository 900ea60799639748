"""Opened models and their deployments, shared by all verbs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modellint.analysis.precision import without_strange_assumption
from modellint.base.errors import UsageError, reason_of
from modellint.base.records import dataclass
from modellint.base.standins import fill
from modellint.capability import Capability
from modellint.checks.api import Analyses, Hit
from modellint.checks.wording import message_of, problem_hit, words_of
from modellint.formats import read_model
from modellint.formats.trt import ENGINE
from modellint.model import Model, Problem
from modellint.rules.rule import Rule
from modellint.targets.deployment import Deployment
from modellint.targets.profiles import bound_to

if TYPE_CHECKING:
    from modellint.probes import Outcome, ProbeRequest
    from modellint.results.measured import MeasuredRun


@dataclass(frozen=True, slots=True)
class Session:
    """Deployments that models are opened for, and the runtimes to probe them with."""

    deployments: Sequence[Deployment] = (Deployment(),)
    probing: ProbeRequest | None = None
    profile: MeasuredRun | None = None
    """A measured run of the model that is opened."""

    def open(self, path: Path, shown: str) -> OpenModel:
        """Read a file; errors become problems of the model."""
        started = time.perf_counter()
        model = read_model(path)
        return OpenModel(self, model, shown, time.perf_counter() - started)


class OpenModel:
    """A model with its analyses for each deployment."""

    def __init__(self, session: Session, model: Model, shown: str, read_seconds: float) -> None:
        self.model = model
        self.shown = shown
        """Name of the file in reports."""
        self.read_seconds = read_seconds
        self._session = session
        self.analyses = tuple(
            self._analyses_under(without_strange_assumption(model, bound_to(model, deployment)))
            for deployment in session.deployments
        )
        """Return the analyses for each of the session's deployments."""
        self._analyses = list(self.analyses)

    def under(self, deployment: Deployment) -> Analyses:
        """Return the analyses for a deployment, shared between calls."""
        for analyses in self._analyses:
            if analyses.deployment == deployment:
                return analyses
        self._analyses.append(self._analyses_under(deployment))
        return self._analyses[-1]

    def _analyses_under(self, deployment: Deployment) -> Analyses:
        return Analyses(self.model, deployment, self._session.probing, self._session.profile)

    def outcomes(self) -> tuple[Outcome, ...]:
        """Return the outcomes of probes, if the session probes."""
        asked = (analyses.outcome for analyses in self.analyses)
        return tuple(outcome for outcome in asked if outcome is not None)

    def engine_layers(self) -> Model:
        """Return the layers of an export, or of an engine as read by its own runtime."""
        if Capability.LAYERS in self.model.capabilities:
            return self.model
        if self.model.format != ENGINE.name or self.model.problems:
            raise UsageError(f"{self.shown} contains no engine layers ({self.model.format})")
        from modellint.base.temporary import temporary_folder
        from modellint.probes.layers import exported_layers

        try:
            fill([self.model.path])
        except OSError as error:
            raise UsageError(f"{self.shown}: {reason_of(error)}") from error
        engine, writer = self.model.path, self.model.producer_name
        with temporary_folder() as folder:
            layers = read_model(exported_layers(engine, writer, folder))
        if Capability.LAYERS not in layers.capabilities:
            raise UsageError(f"{writer} does not report the layers of {engine}")
        return layers

    def problem_hits(self, rule: Rule) -> Iterator[Hit]:
        """Iterate over the file's problems that a rule reports."""
        for problem in self.model.problems:
            if problem.kind == rule.problem:
                yield problem_hit(problem, rule, self.model)

    def describe(self, problem: Problem, rule: Rule) -> str:
        """Return the message of a problem, from its rule."""
        hit = problem_hit(problem, rule, self.model)
        return message_of(hit, rule, words_of(hit, self.shown))
