"""Questions of a plan: its rules, and which of them may have something to say about a model."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import field
from functools import cached_property, lru_cache
from typing import Any

from modellint.base.records import dataclass
from modellint.capability import Capability
from modellint.checks.api import Check
from modellint.checks.resolve import resolve_check
from modellint.formats.registry import dialect_of
from modellint.model import Model
from modellint.operators import choice, with_domains
from modellint.plan import Plan
from modellint.rules.rule import Rule
from modellint.targets.deployment import Deployment

ALWAYS = ""
"""The need of questions about every model, as far as is known."""


@dataclass(frozen=True)
class Question:
    """A rule of a plan, with everything that does not depend on the model."""

    rule: Rule
    reads: frozenset[Capability]
    deployments: tuple[int, ...]
    """Indices of the plan's deployments, one per combination of what the rule depends on."""
    options: Mapping[str, Any]
    choices: tuple[frozenset[str], ...] = ()
    """Sets of operators; a model must have one of each. Narrowest first, from the rule."""
    needed: dict[int, frozenset[str]] = field(default_factory=dict)
    """By deployment: features of which a model must have one for the rule to say anything.

    Learned from models that have none: if a check asks for nothing but these, and finds nothing,
    then it asks and finds the same in every other model without them.
    """

    def applies_to(self, capabilities: frozenset[Capability], dialect: str) -> bool:
        """False if the rule reads something that the model lacks, or is about other files."""
        return self.rule.problem is not None or (
            self.reads <= capabilities and self.rule.is_about(dialect)
        )

    @property
    def is_understood(self) -> bool:
        """Return True if the features that it needs are known for every deployment."""
        return len(self.needed) == len(self.deployments)

    @cached_property
    def check(self) -> Check:
        return resolve_check(self.rule)


class Questions:
    """Questions that can be asked of the same models, in order, by what they need."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self._all = questions
        self._learned: set[int] = set()
        """Places of questions whose needs models have shown."""
        self._by_need: dict[str, set[int]] = {}
        """Places of questions by feature or problem, or by ``ALWAYS``."""
        for place, question in enumerate(questions):
            for need in _stated_needs(question):
                self._by_need.setdefault(need, set()).add(place)

    def __len__(self) -> int:
        return len(self._all)

    @property
    def all(self) -> Sequence[Question]:
        """Return those that there are, also where nothing can come of it."""
        return self._all

    def worth_asking(self, features: Set[str], problems: Set[str]) -> Iterator[Question]:
        """Iterate over the questions that may have answers in a model with these."""
        present = with_domains(features)
        places: set[int] = set()
        for need in (ALWAYS, *present, *problems):
            places.update(self._by_need.get(need, ()))
        for place in sorted(places):
            question = self._all[place]
            if question.choices and any(map(present.isdisjoint, question.choices)):
                continue
            yield question
            if question.needed and place not in self._learned and question.is_understood:
                self._learn(place, question)

    def _learn(self, place: int, question: Question) -> None:
        """From now on, ask a question only about models with the features that it needs."""
        self._learned.add(place)
        for need in _stated_needs(question):
            self._by_need[need].remove(place)
        for need in set().union(*question.needed.values()):
            self._by_need.setdefault(need, set()).add(place)


def _stated_needs(question: Question) -> Collection[str]:
    """Return operators or problems, one of which a model has if the question has an answer."""
    if question.rule.problem is not None:
        return (question.rule.problem,)
    return question.choices[0] if question.choices else (ALWAYS,)


def questions_for(plan: Plan, model: Model) -> Questions:
    """Return the questions of a plan that apply to a model."""
    return _applicable(plan, model.capabilities, dialect_of(model.format))


@lru_cache(maxsize=64)
def _applicable(plan: Plan, capabilities: frozenset[Capability], dialect: str) -> Questions:
    return Questions([each for each in questions(plan) if each.applies_to(capabilities, dialect)])


@lru_cache(maxsize=4)
def questions(plan: Plan) -> tuple[Question, ...]:
    """Return all questions of a plan."""
    asked = (
        Question(
            rule,
            frozenset(rule.reads),
            _deployments(rule, plan.deployments) if rule.problem is None else (),
            {name: option.default for name, option in rule.options.items()}
            | dict(plan.options.get(rule.code, {})),
            _choices(rule),
        )
        for rule in plan.rules
        if plan.may_ask(rule)
    )
    return tuple(each for each in asked if each.rule.problem or each.deployments)


def _choices(rule: Rule) -> tuple[frozenset[str], ...]:
    stated = map(choice, rule.operators)
    return tuple(sorted((each for each in stated if each is not None), key=len))


def _deployments(rule: Rule, deployments: Sequence[Deployment]) -> tuple[int, ...]:
    facets = sorted({*rule.per, "runtime"} if rule.runtimes else rule.per)
    chosen: dict[tuple[object, ...], int] = {}
    for index, deployment in enumerate(deployments):
        if rule.runtimes and deployment.runtime not in rule.runtimes:
            continue
        if "target" in rule.needs and deployment.target is None:
            continue
        chosen.setdefault(tuple(deployment.facet(facet) for facet in facets), index)
    return tuple(chosen.values())
