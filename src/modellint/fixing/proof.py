"""Proof of fixes: nothing is written unless the fixed model loads, runs and gives the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from modellint.base.errors import ModellintError
from modellint.base.paths import real_path
from modellint.base.records import dataclass
from modellint.engine import lint_file
from modellint.fixing.batches import mixes_samples
from modellint.fixing.interface import interface_difference
from modellint.fixing.proposals import Proposal
from modellint.fixing.runs import Ran, fitting, largest_difference, said
from modellint.fixing.structure import computes_the_same
from modellint.formats import read_model
from modellint.model import Model
from modellint.model.edits import AddTensor, Rewrite, SetTensor
from modellint.plan import Plan
from modellint.probes import CHILD, memory_to_spare
from modellint.probes.runner import Limits, run_child
from modellint.results.finding import Finding, Severity
from modellint.results.fixed import ProofStep

if TYPE_CHECKING:
    from modellint.execution import Arrays

SECONDS = 300.0
NEEDED = 2
"""Memory that a runtime needs for a model, in sizes of its weights."""
ALL_FINDINGS = 1 << 30
WRITES_ELEMENTS = (AddTensor, SetTensor, Rewrite)


@dataclass(frozen=True, slots=True)
class Failure:
    """The step of a proof that failed, and how."""

    step: ProofStep
    detail: str


@dataclass(slots=True)
class Proved:
    """The result of a set of fixes."""

    path: Path
    model: Model
    ran: Ran | None = None
    difference: float = 0.0


class Proof:
    """The steps that every set of fixes of one model has to pass."""

    def __init__(
        self, original: Path, shown: str, plan: Plan, given: Sequence[Arrays] = ()
    ) -> None:
        self.original = original
        """The model before the fixes of this round."""
        self.model = read_model(original)
        self.shown = shown
        self.plan = replace(plan, most_findings=ALL_FINDINGS, probe=None, verify=None)
        self.given = tuple(given)
        self.largest_difference = 0.0
        """Sum over all sets that were carried out one after the other."""
        self._baseline: Ran | None = None
        self._proved: Proved | None = None
        """The last set that passed."""
        self.ways: set[str] = set()
        """Sentences describing the proof so far."""

    @property
    def sentence(self) -> str:
        """Return how all fixes so far were proved."""
        return "; ".join(sorted(self.ways))

    @property
    def baseline(self) -> Ran:
        """Return the model's results on random inputs, or why it cannot be run."""
        if self._baseline is None:
            self._baseline = self._run_original()
        return self._baseline

    def _run_original(self) -> Ran:
        obstacle = _obstacle(self.model)
        if obstacle:
            return Ran(obstacle=obstacle)
        from modellint.execution import made_up

        try:
            numbers = range(3 if _is_open(self.model) else 2)
            feeds = (*self.given, *(made_up(self.model, number=number) for number in numbers))
        except Exception as error:  # of whatever a file declares
            return Ran(obstacle=str(error))
        ran = _ran(self.original, self.model, feeds)
        return replace(ran, given=len(self.given)).without_failures

    def go_on(self) -> None:
        """Measure further fixes against the result of the last set that passed."""
        proved = self._proved
        if proved is None:
            return
        self.original, self.model = proved.path, proved.model
        if proved.ran is not None:
            self._baseline = replace(proved.ran, failed=self.baseline.failed)
        self.largest_difference += proved.difference

    def failure(self, fixes: Sequence[Proposal], after: Path, *, trusted: bool) -> Failure | None:
        """Return the first step that fails; None if all pass.

        `trusted` fixes need no run where none is possible: the user takes them without.
        """
        proved = Proved(after, read_model(after))
        failure = (
            self._file(proved.model)
            or self._interface(fixes, proved.model)
            or self._findings(fixes, after)
            or self._checker(after)
            or self._outputs(fixes, proved, trusted=trusted)
        )
        if failure is None:
            self._proved = proved
        return failure

    def failure_of_move(self, after: Path) -> Failure | None:
        """Return the first step that fails for a model that differs in where its weights lie."""
        self.plan = replace(self.plan, read_weights=False)  # rules would find the same in them
        return self.failure([], after, trusted=False)

    def _file(self, model: Model) -> Failure | None:
        known = Counter(each.kind for each in self.model.problems)
        found = Counter(each.kind for each in model.problems)
        worse = [each for each in model.problems if found[each.kind] > known[each.kind]]
        if worse:
            return Failure("file", f"{worse[0].kind}: {worse[0].facts.get('detail', '')}")
        return None

    def _interface(self, fixes: Sequence[Proposal], model: Model) -> Failure | None:
        if _change_interface(fixes):
            return None
        difference = interface_difference(self.model, model)
        return Failure("interface", difference) if difference else None

    # The checker

    def _checker(self, after: Path) -> Failure | None:
        mistake = self._checked(after)
        if mistake and not self._checked(self.original):
            return Failure("checker", mistake)
        return None

    def _checked(self, path: Path) -> str:
        """Return the checker's objection to a file; empty if it has none."""
        if path not in self._mistakes:
            self._mistakes[path] = self._ask_checker(path)
        return self._mistakes[path]

    @cached_property
    def _mistakes(self) -> dict[Path, str]:
        return {}

    def _ask_checker(self, path: Path) -> str:
        request = {"code": "modellint.fixing.checking", "paths": [str(real_path(path))]}
        ended = run_child(CHILD, request, _limits())
        if ended.answer is None:
            return ended.detail or "onnx's checker did not answer"
        return str(ended.answer[str(real_path(path))])

    # Findings

    def _findings(self, fixes: Sequence[Proposal], after: Path) -> Failure | None:
        old, new = self._counts(self.original), self._counts(after)
        places = self._places(self.original), self._places(after)
        to_vanish = (each.rule.code for each in fixes if not each.fix.keeps_finding)
        for code in dict.fromkeys(to_vanish):
            if new[code] >= old[code] and places[1][code] >= max(places[0][code], 1):
                return Failure("findings", f"{code} still reports the same")
        fixable = {rule.code for rule in self.plan.rules if rule.autofix is not None}
        for code, number in new.items():
            if number > old[code] and code not in fixable:
                return Failure("findings", f"{code} reports more than before")
        return None

    def _counts(self, path: Path) -> Counter[str]:
        """Return the numbers of findings, by rule."""
        return Counter(finding.code for finding in self._found(path))

    def _places(self, path: Path) -> Counter[str]:
        """Return the numbers of places that findings stand for, by rule."""
        places: Counter[str] = Counter()
        for finding in self._found(path):
            places[finding.code] += finding.count
        return places

    def _found(self, path: Path) -> list[Finding]:
        """Return the findings in a file; of those that are harmless, only what can be fixed."""
        if path not in self._linted:
            fixable = {rule.code for rule in self.plan.rules if rule.autofix is not None}
            self._linted[path] = [
                finding
                for finding in lint_file(path, self.shown, self.plan).findings
                if _counts(finding) or finding.code in fixable
            ]
        return self._linted[path]

    @cached_property
    def _linted(self) -> dict[Path, list[Finding]]:
        return {}

    # Outputs

    def _outputs(
        self, fixes: Sequence[Proposal], proved: Proved, *, trusted: bool
    ) -> Failure | None:
        model = proved.model
        if self.baseline.obstacle:
            return self._without_running(fixes, model, self.baseline.obstacle, trusted=trusted)
        baseline, new = self._pair(proved, _change_interface(fixes))
        if baseline.refusal and not new.refusal and new.execution is not None:
            proved.ran = new
            self.ways.add(f"{new.execution.runtime} rejected the model before, and now runs it")
            return None
        if baseline.refusal:
            return self._without_running(fixes, model, baseline.refusal, trusted=trusted)
        if new.refusal:
            return Failure("loading", new.refusal)
        assert baseline.execution is not None
        assert new.execution is not None
        proved.ran = replace(new, given=baseline.given)
        if any(each.fix.changes_outputs for each in fixes):
            self.ways.add(f"{new.execution.runtime} runs it; outputs differ, as chosen")
            return None
        tolerance = _tolerance(fixes)
        difference = largest_difference(baseline.execution, new.execution, self.model, model)
        if difference > tolerance:
            if self._is_random:
                reason = "its outputs are random"
                return self._without_running(fixes, model, reason, trusted=trusted)
            return Failure("outputs", said(difference, tolerance))
        if _change_interface(fixes) and mixes_samples(
            self.original, proved.path, self.model, self.baseline.failed, _limits()
        ):
            return Failure("outputs", "samples in a batch would not match their results alone")
        proved.difference = difference
        self.ways.add(f"run in {new.execution.runtime} on {baseline.inputs}")
        return None

    def _pair(self, proved: Proved, changes_interface: bool) -> tuple[Ran, Ran]:
        """Run the model before and after its fixes on the same inputs, which both can take."""
        model, after = proved.model, proved.path
        new = _ran(after, model, fitting(self.baseline.feeds, self.model, model))
        if not (new.refusal and changes_interface):
            return self.baseline, new
        from modellint.execution import made_up

        try:
            feeds = [made_up(model, number=number) for number in range(len(self.baseline.feeds))]
        except ModellintError:
            return self.baseline, new
        old = _ran(self.original, self.model, fitting(feeds, model, self.model))
        return (self.baseline, new) if old.refusal else (old, _ran(after, model, feeds))

    @cached_property
    def _is_random(self) -> bool:
        """Return True if the model gives something else each time."""
        first = self.baseline
        again = _ran(self.original, self.model, first.feeds)
        if first.execution is None or again.execution is None:
            return False
        return largest_difference(first.execution, again.execution, self.model, self.model) > 0

    def _without_running(
        self, fixes: Sequence[Proposal], model: Model, reason: str, *, trusted: bool
    ) -> Failure | None:
        """Judge by structure alone."""
        edits = [edit for each in fixes for edit in each.fix.edits]
        writes = any(isinstance(edit, WRITES_ELEMENTS) for edit in edits)
        if not writes and computes_the_same(self.model, model):
            self.ways.add(f"by structure, since the model cannot be run here: {reason}")
            return None
        if trusted:
            self.ways.add(
                f"by onnx's checker and types only, since the model cannot be run: {reason}"
            )
            return None
        return Failure("not-run", reason)


def _change_interface(fixes: Sequence[Proposal]) -> bool:
    return any(each.fix.changes_interface for each in fixes)


def _limits() -> Limits:
    return Limits(SECONDS, memory_to_spare())


def _counts(finding: Finding) -> bool:
    return finding.severity >= Severity.WARNING and finding.suppressed is None


def _obstacle(model: Model) -> str:
    """Return the reason why a model cannot be run here."""
    from modellint.execution import runtime_for

    missing = [each for each in model.problems if each.kind.startswith(("external", "lfs"))]
    if any(each.kind != "external-leftover" for each in missing):
        return "its external data is missing"
    spare = memory_to_spare()
    if spare is not None and model.weight_bytes * NEEDED > spare:
        return f"its {model.weight_bytes / 2**30:.0f} GiB of weights exceed the available memory"
    try:
        runtime_for(model.format)
    except ModellintError as error:
        return str(error)
    return ""


def _is_open(model: Model) -> bool:
    dims = (dim for value in model.fed for dim in value.declared_shape or (None,))
    return any(not isinstance(dim, int) for dim in dims)


def _ran(path: Path, model: Model, feeds: Sequence[Arrays]) -> Ran:
    from modellint.execution import Way, run

    execution = run(path, model.format, feeds, Way(packed=False), limits=_limits())
    return Ran(tuple(feeds), execution, refusal=execution.error)


def _tolerance(fixes: Sequence[Proposal]) -> float:
    """Return the difference that fixes may make together: no more than each alone may make."""
    return min((each.tolerance for each in fixes), default=0.0)
