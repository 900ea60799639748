"""Rounds of fixes: those that do not clash are carried out together, and proved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from modellint.base.errors import UsageError
from modellint.base.records import dataclass
from modellint.fixing.proof import Failure, Proof
from modellint.fixing.proposals import Proposal, proposals
from modellint.fixing.recording import recorded_shapes
from modellint.formats import read_model
from modellint.formats.registry import editor_of
from modellint.model import Graph, Node, Tensor, Value
from modellint.model.edits import (
    AddTensor,
    EditError,
    InsertNodes,
    RemoveNodes,
    Rewrite,
    SetAttribute,
    SetInput,
    SetMetadata,
    SetOperator,
    SetOpset,
    SetTensor,
)
from modellint.plan import Plan
from modellint.results.fixed import FixEntry, ProofStep, RefusedFix
from modellint.rules.selection import covers
from modellint.session import Session

if TYPE_CHECKING:
    from modellint.execution import Arrays

MOST_ROUNDS = 20
MOST_ATTEMPTS = 200
"""Sets of fixes that are tried for one model."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Fixes that the user wants."""

    unsafe: bool = False
    """True to take those that are exact on this model, or change numbers, as well."""
    only: tuple[str, ...] = ()
    """Rules whose fixes are wanted; all if empty."""
    never: tuple[str, ...] = ()
    """Rules whose fixes are not wanted."""
    choices: Mapping[str, str] = field(default_factory=dict)
    exact: bool = False
    """True to take those that are exact on this model, whatever `unsafe` says."""

    def asks(self, proposal: Proposal) -> bool:
        """Return True if fixes of the rule are wanted at all; the longer selector wins."""
        rule = proposal.rule
        never = max((len(each) for each in self.never if covers(each, rule)), default=0)
        only = max((len(each) for each in self.only if covers(each, rule)), default=0)
        return only > never or not (never or self.only)

    def takes(self, proposal: Proposal) -> bool:
        if not proposal.fix.edits:
            return False
        if proposal.applicability == "exact" and self.exact:
            return True
        return proposal.applicability in ("safe", "choice") or self.unsafe


@dataclass(slots=True)
class Rounds:
    """Course of fixing one model."""

    result: Path
    """The file that all fixes so far have led to: the original at first."""
    fixed: list[FixEntry] = field(default_factory=list)
    refused: list[RefusedFix] = field(default_factory=list)
    offered: list[FixEntry] = field(default_factory=list)
    rewritten: set[str] = field(default_factory=set)
    """Names of tensors with other elements."""
    attempts: int = 0
    shapes: int = 0
    """Number of shapes that were recorded."""


class Fixing:
    """One model, and places for its drafts."""

    def __init__(
        self,
        path: Path,
        shown: str,
        plan: Plan,
        wanted: Wanted,
        drafts: Iterator[Path],
        given: Sequence[Arrays] = (),
    ) -> None:
        self.path = path
        self.shown = shown
        self.plan = plan
        self.wanted = wanted
        self.course = Rounds(path)
        self.proof = Proof(path, shown, plan, given)
        self._drafts = drafts
        self._seen: set[tuple[str, str]] = set()
        """Fixes that would be proposed again in every round: above all, those that were refused."""

    def run(self) -> Rounds:
        for _ in range(MOST_ROUNDS):
            found = self._proposed()
            if not found:
                break
            self._round(found)
        self._note_offers()
        return self.course

    def record_shapes(self) -> None:
        """State in the file what inference knows of its shapes; raise UsageError if it may not."""
        model = read_model(self.course.result)
        editor, fix = editor_of(model.format), recorded_shapes(model)
        if editor is None or fix is None:
            return
        draft = next(self._drafts)
        editor.write_fixed(model, [fix], draft)
        failure = self.proof.failure([], draft, trusted=False)
        if failure is not None:
            raise UsageError(f"shapes were not recorded: {failure.detail}")
        self.proof.go_on()
        self.course.result, self.course.shapes = draft, len(fix.edits)

    def _proposed(self) -> list[Proposal]:
        opened = Session(self.plan.deployments).open(self.course.result, self.shown)
        self._opened = opened
        found = proposals(opened, self.plan, self.wanted.choices)
        self._all = [each for each in found if self.wanted.asks(each)]
        for each in self._all:
            if each.crash and _key(each) not in self._seen:
                self._refuse(each, Failure("edit", f"the fix crashed: {each.crash}"))
        return [
            each for each in self._all if self.wanted.takes(each) and _key(each) not in self._seen
        ]

    def _round(self, found: list[Proposal]) -> None:
        """Carry out what can be; what cannot is not proposed again."""
        accepted = self._accepted([], list(_without_clashes(_strictest(found))))
        if accepted:
            self.proof.go_on()
        self.course.fixed += map(entry_of, accepted)
        edits = (edit for each in accepted for edit in each.fix.edits)
        self.course.rewritten |= {e.value.name for e in edits if isinstance(e, SetTensor)}
        self._seen |= {_key(each) for each in accepted if each.fix.keeps_finding}

    def _accepted(self, before: list[Proposal], more: list[Proposal]) -> list[Proposal]:
        """Return those that pass the proof together; halve a set that does not."""
        if not more:
            return before
        both = [*before, *more]
        failure, draft, culprit = self._tried(both)
        if failure is None:
            self.course.result = draft
            return both
        if culprit in more:
            self._refuse(culprit, failure)
            return self._accepted(before, [each for each in more if each is not culprit])
        if before and failure.step == "outputs" and more[0].tolerance:
            return before  # what they change is measured by itself in the next round
        if len(more) == 1:
            self._refuse(more[0], failure)
            return before
        half = len(more) // 2
        return self._accepted(self._accepted(before, more[:half]), more[half:])

    def _tried(self, fixes: list[Proposal]) -> tuple[Failure | None, Path, Proposal | None]:
        """Carry out and prove a set; return the failure, and the fix to blame if it is known."""
        draft = next(self._drafts)
        self.course.attempts += 1
        if self.course.attempts > MOST_ATTEMPTS:
            return Failure("edit", "too many fixes fail on this model"), draft, None
        editor = editor_of(self._opened.model.format)
        assert editor is not None
        try:
            editor.write_fixed(self._opened.model, [each.fix for each in fixes], draft)
        except EditError as error:
            blamed = next((each for each in fixes if each.fix is error.fix), None)
            return Failure("edit", str(error)), draft, blamed
        except (
            ArithmeticError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:  # of a fix's elements
            return Failure("edit", f"{type(error).__name__}: {error}"), draft, None
        failure = self.proof.failure(fixes, draft, trusted=self.wanted.unsafe)
        if failure is not None:
            draft.unlink()
        return failure, draft, None

    def _refuse(self, proposal: Proposal, failure: Failure) -> None:
        self._seen.add(_key(proposal))
        self.course.refused.append(RefusedFix(entry_of(proposal), failure.step, failure.detail))

    def _note_offers(self) -> None:
        self.course.offered += [entry_of(each) for each in self._all if not self.wanted.takes(each)]


def _key(proposal: Proposal) -> tuple[str, str]:
    return proposal.rule.code, proposal.fix.says


def entry_of(proposal: Proposal) -> FixEntry:
    place = proposal.hit.place
    graph, label = "", ""
    if isinstance(place, Node):
        graph, label = place.graph.path, place.label
    elif isinstance(place, Value):
        graph, label = place.graph.path, place.name
    elif isinstance(place, Graph):
        graph = place.path
    elif isinstance(place, Tensor):
        label = place.name
    return FixEntry(
        proposal.rule.code,
        proposal.rule.name,
        proposal.fix.says,
        proposal.applicability,
        graph,
        label,
        proposal.fix.option,
    )


def _strictest(found: Sequence[Proposal]) -> list[Proposal]:
    """Return the fixes that may change the least: the effect of others could hide theirs."""
    least = min(each.tolerance for each in found)
    return [each for each in found if each.tolerance == least]


def _without_clashes(found: Iterable[Proposal]) -> Iterator[Proposal]:
    """Leave for later rounds what touches the same as an earlier fix."""
    taken: set[object] = set()
    for proposal in found:
        touched = set(_touched(proposal))
        is_alone = proposal.fix.changes_outputs or any(
            isinstance(edit, Rewrite) for edit in proposal.fix.edits
        )
        if is_alone and taken:
            continue
        if taken.isdisjoint(touched):
            taken |= touched
            yield proposal
        if is_alone:
            return


def _touched(proposal: Proposal) -> Iterator[object]:
    """Iterate over a fix's targets: two fixes of one round may not change the same."""
    for edit in proposal.fix.edits:
        if isinstance(edit, RemoveNodes):
            yield from edit.nodes
        elif isinstance(edit, (SetAttribute, SetOperator, SetInput)):
            yield edit.node
        elif isinstance(edit, InsertNodes):
            yield from (
                output
                for node in edit.nodes
                for output in node.outputs
                if isinstance(output, Value)
            )
        elif isinstance(edit, SetMetadata):
            yield edit.place, edit.key
        elif isinstance(edit, SetOpset):
            yield edit.domain, edit.body
        elif not isinstance(edit, AddTensor):
            for name in ("value", "body", "place", "graph"):
                place = getattr(edit, name, None)
                if place is not None:
                    yield place, type(edit).__name__ if isinstance(place, Graph) else ""


__all__ = ["Fixing", "ProofStep", "Rounds", "Wanted", "entry_of"]
