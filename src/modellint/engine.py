"""Linting of a file: reads it, runs each rule, and turns hits into findings."""

from __future__ import annotations

import hashlib
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellint.analysis.parameters import parameters
from modellint.analysis.structure import place_digest
from modellint.base.applicability import Applicability
from modellint.base.garbage import no_garbage_collection
from modellint.base.plain import plain
from modellint.base.standins import fetched_for, is_stand_in, lasting_name, settled
from modellint.checks.api import Context, Hit, Place
from modellint.checks.repeats import folded_problems
from modellint.checks.wording import message_of, words_of
from modellint.formats.registry import dialect_of, is_fixable, is_model_folder
from modellint.frame import frame_of
from modellint.model import Model, Node, Tensor, Value
from modellint.model.reading import Reading
from modellint.plan import FileReport, Plan
from modellint.questions import Question, questions, questions_for
from modellint.results.finding import MILLISECONDS, MORE, Finding, Location, ModelSummary, Severity
from modellint.rules.inline import InlineIgnores
from modellint.rules.message import fill
from modellint.rules.pattern.errors import WorkLimitError
from modellint.rules.remark import internal_remark
from modellint.rules.rule import Rule
from modellint.runtimes import find_runtime
from modellint.runtimes.runtime import Loading
from modellint.session import OpenModel, Session
from modellint.targets.deployment import ONLY_INPUT, Deployment
from modellint.targets.profiles import only_input

if TYPE_CHECKING:
    from modellint.probes import Outcome
    from modellint.verify.judge import Judge

CRASH, DIED = "INT001", "INT002"
"""Rules under which crashes of rules and of native code are reported."""
_TEXTS: Mapping[str, Any] = {
    "messages": {MORE: "And {count:,} more like these."},
    "why": "The first {listed:,} findings of a rule in a file are listed, for each target.",
    "fix": "To list more: --max-findings-per-rule.",
    "note": "",
}
"""Its texts, in place of those of its rule."""


def lint_file(path: Path, shown_path: str, plan: Plan) -> FileReport:
    """Lint a file. Returns for any content."""
    with no_garbage_collection(), warnings.catch_warnings():
        # Rules look for infinities and NaNs in models; numpy's warnings add nothing.
        warnings.simplefilter("ignore", RuntimeWarning)
        report = settled(path, lambda: _lint_file(path, shown_path, plan))
    fetched = fetched_for(path)
    return report if fetched is None else replace(report, fetched=fetched)


def _lint_file(path: Path, shown_path: str, plan: Plan) -> FileReport:
    session = Session(plan.deployments, plan.probe, plan.profile)
    return lint_opened(session.open(path, shown_path), plan)


def lint_opened(opened: OpenModel, plan: Plan) -> FileReport:
    """Lint a model that a session of the plan's deployments has opened."""
    model = opened.model
    linting = _Linting(opened, plan)
    findings = tuple(linting.findings())
    outcomes = opened.outcomes()
    return FileReport(
        summary=_summarise(model, opened.shown, plan),
        findings=_confronted(findings, outcomes, plan),
        probes=outcomes,
        timings=linting.timings,
        companions=_companions(model),
        bindable=_bindable(model, plan),
    )


def _companions(model: Model) -> tuple[str, ...]:
    """Return the paths that findings depend on besides the model's own."""
    inside: list[Path] = []
    if model.path.is_dir():
        inside = sorted(model.path.glob("**/*" if is_model_folder(model.path) else "*"))
    return tuple(map(lasting_name, dict.fromkeys((*inside, *model.external_files))))


def _bindable(model: Model, plan: Plan) -> tuple[str, ...]:
    if not any(each.shapes or each.symbols for each in plan.deployments):
        return ()
    dims = (dim for value in model.graph.values.values() for dim in value.declared_shape or ())
    symbols = (dim for dim in dims if isinstance(dim, str))
    unnamed = [ONLY_INPUT] if only_input(model) is not None else []
    return tuple(dict.fromkeys([*unnamed, *(value.name for value in model.inputs), *symbols]))


def _confronted(
    findings: tuple[Finding, ...], outcomes: tuple[Outcome, ...], plan: Plan
) -> tuple[Finding, ...]:
    """Mark findings that probes confirm or contradict."""
    if not outcomes:
        return findings
    from modellint.probes.agreement import confront

    refused = {rule.code: "probe" in rule.needs for rule in plan.rules if rule.refused}
    predicting = {code for code, by_probe in refused.items() if not by_probe}
    return confront(findings, outcomes, predicting, refused.keys() - predicting)


def _summarise(model: Model, shown_path: str, plan: Plan) -> ModelSummary:
    fatal = any(problem.fatal for problem in model.problems)
    return ModelSummary(
        path=shown_path,
        format=model.format,
        capabilities=tuple(sorted(each.value for each in model.capabilities)),
        nodes=sum(len(graph.nodes) for graph in model.graphs()) if model.has_graph else None,
        parameters=None if fatal else parameters(model).total,
        weight_bytes=None if fatal else model.weight_bytes,
        rules_asked=len(questions_for(plan, model)),
        rules_planned=len(questions(plan)),
    )


class _Linting:
    """An open model under the rules of a plan."""

    def __init__(self, opened: OpenModel, plan: Plan) -> None:
        self.opened = opened
        self.model = opened.model
        if plan.weights_budget is not None:
            self.model.reading = Reading(opened.shown, plan.weights_budget)
        self.plan = plan
        self.timings = {"(read)": opened.read_seconds}
        self.ignores = InlineIgnores(self.model) if plan.inline_suppressions else None
        self.judge = _judge(self.model, plan.verify)
        self._fingerprinted: Counter[str] = Counter()
        self._is_fixable = is_fixable(opened.model.format) and not is_stand_in(opened.model.path)

    def findings(self) -> list[Finding]:
        """Return the findings of all rules, and note the time that each takes."""
        found: list[Finding] = []
        problems = {problem.kind for problem in self.model.problems}
        features = self.opened.analyses[0].features
        now = time.perf_counter()
        for question in questions_for(self.plan, self.model).worth_asking(features, problems):
            rule = question.rule
            if rule.problem is not None:
                found += self._problems(rule)
            for index in question.deployments:
                found += self._ask(question, index)
            before, now = now, time.perf_counter()
            self.timings[rule.code] = now - before
        if self.judge is not None:
            rules = {rule.code: rule for rule in self.plan.rules}
            for code, hit in self.judge.remarks():
                if code in rules:
                    found.append(self.finding(rules[code], hit, None))
        found += self._noted_meanwhile(problems)
        if self.model.died:
            found.append(internal_remark(DIED, self.opened.shown, {"error": self.model.died}))
        return found

    def _noted_meanwhile(self, before: Set[str]) -> Iterator[Finding]:
        """Iterate over problems that were found as rules read the file, such as a change of it."""
        late = {problem.kind for problem in self.model.problems} - before
        for rule in self.plan.rules if late else ():
            if rule.problem in late:
                yield from self._problems(rule)

    def _problems(self, rule: Rule) -> list[Finding]:
        """Return findings about the file itself, errors unless all runtimes load it."""
        runtimes = [find_runtime(each.runtime or "") for each in self.plan.deployments]
        loadings = [each.loading if each is not None else Loading() for each in runtimes]
        listing = _Listing(self, rule, None)
        hits = self.opened.problem_hits(rule)
        for hit in folded_problems(hits) if rule.together else hits:
            listing.add(replace(hit, severity=_severity(rule, hit, loadings)))
        return listing.findings()

    def _ask(self, question: Question, index: int) -> list[Finding]:
        rule, analyses = question.rule, self.opened.analyses[index]
        context = Context(rule, analyses, question.options, read_weights=self.plan.read_weights)
        listing: _Listing | None = None  # most rules say nothing
        try:
            for hit in question.check(context):
                context.absent = None
                verified = self._verified(rule, hit, analyses.deployment)
                if verified is not None:
                    listing = listing or _Listing(self, rule, analyses.deployment)
                    listing.add(verified)
        except Exception as error:  # a broken rule must not abort the run
            listed = listing.findings() if listing is not None else []
            return [*listed, self._crash(rule, error)]
        # A deployment that was fitted to this model says nothing about others.
        if context.absent is not None and analyses.deployment == self.plan.deployments[index]:
            question.needed[index] = frozenset(context.absent)
        return listing.findings() if listing is not None else []

    def _verified(self, rule: Rule, hit: Hit, deployment: Deployment) -> Hit | None:
        return hit if self.judge is None else self.judge.verify(rule, hit, deployment.runtime)

    def severity(self, rule: Rule, hit: Hit) -> Severity:
        return self.plan.severities.get(rule.code, hit.severity or rule.default_severity)

    def ignores_hit(self, rule: Rule, hit: Hit) -> bool:
        """Return True if the model's own metadata ignores all places of a hit."""
        ignores = self.ignores
        places = hit.places or (hit.place,)
        return ignores is not None and all(ignores.cover(rule, each) for each in places)

    def finding(self, rule: Rule, hit: Hit, deployment: Deployment | None) -> Finding:
        place = hit.place
        words = words_of(hit, self.opened.shown, deployment)
        target = deployment.target_id if deployment and "target" in rule.per else None
        by_runtime = bool(rule.runtimes) or "runtime" in rule.per
        ignored = self.ignores_hit(rule, hit)
        evidence = {key: plain(fact) for key, fact in hit.facts.items()}
        message = message_of(hit, rule, words)
        if self.plan.profile is not None and MILLISECONDS not in evidence:
            message, evidence = self._with_time(message, evidence, hit)
        return Finding(
            code=rule.code,
            rule=rule.name,
            family=rule.family,
            severity=self.severity(rule, hit),
            message=message,
            path=self.opened.shown,
            location=_location(place),
            why=fill(rule.why, words),
            fix=fill(rule.fixes.get(hit.variant, rule.fix), words),
            runtime=deployment.runtime if deployment and by_runtime else None,
            target=target,
            confidence=hit.confidence or rule.confidence,
            evidence=evidence,
            count=hit.count,
            fingerprint=self._fingerprint(
                f"{rule.code}:{hit.variant}:{target}:{place_digest(place)}"
            ),
            suppressed="modellint.ignore in the model's metadata" if ignored else None,
            variant=hit.variant,
            frame=frame_of(place, hit.related, fill(rule.note, words)),
            fixable=self._fixable(rule),
        )

    def _with_time(
        self, message: str, evidence: dict[str, Any], hit: Hit
    ) -> tuple[str, dict[str, Any]]:
        """Add the measured time of the layers that a hit is about, if they were found."""
        profiled = self.opened.analyses[0].profiled
        nodes = [each for each in (*hit.places, hit.place) if isinstance(each, Node)]
        seconds = profiled.seconds_of(nodes) if profiled is not None else None
        if profiled is None or seconds is None:
            return message, evidence
        took = f" Measured: {1000 * seconds:.3g} of {1000 * profiled.total:.3g} ms."
        return message + took, {**evidence, MILLISECONDS: 1000 * seconds}

    def _fixable(self, rule: Rule) -> Applicability | None:
        if rule.autofix is None or not self._is_fixable:
            return None
        return rule.autofix.applicability

    def _crash(self, rule: Rule, error: Exception) -> Finding:
        import traceback

        stopped = isinstance(error, WorkLimitError)
        where = traceback.extract_tb(error.__traceback__)[-1]
        facts = {
            "rule": rule.code,
            "name": rule.name,
            "error": str(error) if stopped else f"{type(error).__name__}: {error}",
            "where": f"{Path(where.filename).name}:{where.lineno}",
        }
        variant = "stopped" if stopped else ""
        crash = internal_remark(CRASH, self.opened.shown, facts, variant=variant)
        identity = f"{CRASH}:{rule.code}::{place_digest(None)}"
        return replace(crash, fingerprint=self._fingerprint(identity))

    def _fingerprint(self, identity: str) -> str:
        """Return a unique fingerprint: equal structures are numbered in order."""
        ordinal = self._fingerprinted[identity]
        self._fingerprinted[identity] += 1
        return hashlib.sha256(f"{identity}:{ordinal}".encode()).hexdigest()[:16]


class _Listing:
    """Findings of a rule for one deployment: as many as a run lists, and one that counts the rest.

    A damaged file can give rise to any number; each costs memory in every report.
    """

    def __init__(self, linting: _Linting, rule: Rule, deployment: Deployment | None) -> None:
        self._linting, self._rule, self._deployment = linting, rule, deployment
        self._listed: list[Finding] = []
        self._more = 0
        self._worst = Severity.INFO

    def add(self, hit: Hit) -> None:
        if len(self._listed) < self._linting.plan.most_findings:
            self._listed.append(self._linting.finding(self._rule, hit, self._deployment))
        elif not self._linting.ignores_hit(self._rule, hit):
            self._more += 1
            self._worst = max(self._worst, self._linting.severity(self._rule, hit))

    def findings(self) -> list[Finding]:
        return [*self._listed, *self._remainder()]

    def _remainder(self) -> Iterator[Finding]:
        if self._more:
            facts = {"listed": len(self._listed)}
            hit = Hit(None, facts, MORE, self._worst, count=self._more)
            yield self._linting.finding(replace(self._rule, **_TEXTS), hit, self._deployment)


def _severity(rule: Rule, hit: Hit, loadings: Sequence[Loading]) -> Severity | None:
    """Return the severity of a file problem, adjusted if runtimes load the file anyway or never."""
    if any(hit.variant in each.refuses for each in loadings):
        return Severity.ERROR
    if all(rule.problem in each.tolerates for each in loadings):
        return Severity.WARNING
    return hit.severity


def _judge(model: Model, name: str | None) -> Judge | None:
    """Return a judge that checks hits against a runtime's optimizer; None without an ONNX graph."""
    if name is None or not model.has_graph or dialect_of(model.format) != "onnx":
        return None
    from modellint.verify.judge import Judge

    runtime = find_runtime(name)
    assert runtime is not None
    return Judge(model.path, runtime)


def _location(place: Place) -> Location:
    if isinstance(place, Node):
        return Location(
            graph=place.graph.path,
            node=place.label,
            index=place.index,
            op_type=place.qualified_op,
            value=next((value.name for value in place.outputs if value is not None), None),
        )
    if isinstance(place, Value):
        return Location(graph=place.graph.path, value=place.name)
    if isinstance(place, Tensor):
        return Location(value=place.name)
    return Location(graph=place.path if place is not None else None)
