"""Fixes that rules propose for a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from modellint.base.applicability import STRONGEST_FIRST, Applicability
from modellint.base.records import dataclass
from modellint.checks.api import Context, Hit
from modellint.fixes.api import Fixer, resolve_fixer
from modellint.model.edits import Fix
from modellint.plan import Plan
from modellint.questions import Question, questions_for
from modellint.rules.inline import InlineIgnores
from modellint.rules.rule import Rule
from modellint.session import OpenModel


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """A fix, and the hit that it is for."""

    rule: Rule
    hit: Hit
    fix: Fix
    crash: str = ""
    """Reason why there are no edits, if the rule's fixer crashed."""

    @property
    def applicability(self) -> Applicability:
        """Return how far it may be trusted: no further than the rule's."""
        assert self.rule.autofix is not None
        of_rule = self.rule.autofix.applicability
        return max(of_rule, self.fix.applicability or of_rule, key=STRONGEST_FIRST.index)

    @property
    def tolerance(self) -> float:
        """Return the difference that it may make, relative to an output's largest element."""
        return self.fix.tolerance or 0.0


def proposals(opened: OpenModel, plan: Plan, choices: Mapping[str, str]) -> list[Proposal]:
    """Ask all rules of a plan that have a fix, and return their proposals.

    Suppressed hits are left alone. What several deployments have in common is proposed once.
    """
    ignores = InlineIgnores(opened.model) if plan.inline_suppressions else None
    found: list[Proposal] = []
    for question in questions_for(plan, opened.model).all:
        fixer = resolve_fixer(question.rule)
        if fixer is None:
            continue
        known: set[int] = set()
        for context in _contexts(opened, plan, question, choices):
            hits = [hit for hit in _hits(opened, question, context) if id(hit.place) not in known]
            for hit in hits:
                places = hit.places or (hit.place,)
                if ignores and all(ignores.cover(question.rule, place) for place in places):
                    continue
                proposal = _proposed(fixer, question.rule, context, hit)
                if proposal is not None:
                    found.append(proposal)
            known.update(id(hit.place) for hit in hits)
    return found


def _proposed(fixer: Fixer, rule: Rule, context: Context, hit: Hit) -> Proposal | None:
    try:
        fix = fixer(context, hit)
    except Exception as error:  # a broken fix must not abort the others
        crash = f"{type(error).__name__}: {error}"
        return Proposal(rule, hit, Fix((), f"Fixes {rule.code}."), crash)
    return Proposal(rule, hit, fix) if fix is not None else None


def _contexts(
    opened: OpenModel, plan: Plan, question: Question, choices: Mapping[str, str]
) -> Iterator[Context]:
    for index in question.deployments or (0,):  # a problem of the file has none
        yield Context(
            question.rule,
            opened.analyses[index],
            question.options,
            read_weights=plan.read_weights,
            choices=choices,
        )


def _hits(opened: OpenModel, question: Question, context: Context) -> list[Hit]:
    if question.rule.problem is not None:
        return list(opened.problem_hits(question.rule))
    hits: list[Hit] = []
    with suppress(Exception):  # a broken rule is reported by linting
        hits += question.check(context)
    return hits
