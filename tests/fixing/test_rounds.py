"""Rounds of fixes: what is taken, what clashes, what the proof refuses, and who is to blame."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modellint.checks.api import Hit
from modellint.fixing.proof import Failure, Proof
from modellint.fixing.proposals import Proposal
from modellint.fixing.rounds import Fixing, Rounds, Wanted
from modellint.formats import read_model
from modellint.model import DTYPES, Model
from modellint.model.edits import (
    Fix,
    RemoveNodes,
    Rename,
    Replace,
    SetAttribute,
    SetShape,
    SetTensor,
)
from modellint.plan import Plan
from modellint.rules.registry import load_rules
from modellint.session import OpenModel
from tests.fixing.conftest import drafts
from tests.support import save

pytestmark = pytest.mark.usefixtures("in_process")

RULES = load_rules(plugins=False)
SAFE, NUMBERS, CHOICE = RULES["HYG004"], RULES["FUS004"], RULES["HYG007"]
CHAIN = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[N] x) => (float[N] y) <float[1] tiny = {1e-9}>
{
    [one] a = Identity (x)
    [two] b = Neg (a)
    [three] c = Identity (b)
    [four] d = Add (c, tiny)
    [five] e = Identity (d)
    [six] y = Exp (e)
}
"""

Propose = Callable[[Model], Iterable[Proposal]]


def without(
    model: Model, name: str, rule: object = SAFE, tolerance: float | None = None
) -> Proposal:
    """The fix that takes out a node, right or wrong."""
    node = next(each for each in model.graph.nodes if each.name == name)
    output, given = node.outputs[0], node.inputs[0]
    assert output is not None
    assert given is not None
    fix = Fix(
        (RemoveNodes((node,)), Replace(output, given)), f"Removes {name}.", tolerance=tolerance
    )
    return Proposal(rule, Hit(node), fix)  # type: ignore[arg-type]


def fixed(
    propose: Propose,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    wanted: Wanted | None = None,
    text: str = CHAIN,
) -> Rounds:
    """Fix the chain with what is proposed in every round, as long as the nodes are there."""

    def proposed(opened: OpenModel, plan: Plan, choices: object) -> list[Proposal]:
        try:
            return list(propose(opened.model))
        except StopIteration:
            return []

    monkeypatch.setattr("modellint.fixing.rounds.proposals", proposed)
    path = save(text, folder / "chain.onnx")
    return Fixing(path, "chain.onnx", Plan(rules=()), wanted or Wanted(), drafts(folder)).run()


def there(model: Model, *names: str, **traits: object) -> list[Proposal]:
    known = {each.name for each in model.graph.nodes}
    return [without(model, name, **traits) for name in names if name in known]  # type: ignore[arg-type]


def said(course: Rounds) -> list[str]:
    return [each.says for each in course.fixed]


def test_fixes_that_are_wrong_are_found_among_the_right_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = fixed(lambda m: there(m, "one", "two", "three", "five"), tmp_path, monkeypatch)
    assert sorted(said(course)) == ["Removes five.", "Removes one.", "Removes three."]
    (refused,) = course.refused
    assert (refused.entry.says, refused.step) == ("Removes two.", "outputs")
    assert "an output differs by" in refused.detail or "another shape" in refused.detail
    assert [each.op_type for each in read_model(course.result).graph.nodes] == ["Neg", "Add", "Exp"]


def test_numbers_may_change_within_what_is_stated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def propose(model: Model) -> list[Proposal]:
        return there(model, "four", rule=NUMBERS, tolerance=1e-6)

    assert said(fixed(propose, tmp_path, monkeypatch, Wanted(unsafe=True))) == ["Removes four."]
    left = fixed(propose, tmp_path, monkeypatch)
    assert left.fixed == []
    assert [each.applicability for each in left.offered] == ["numbers"]


def test_more_than_the_tolerance_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def propose(model: Model) -> list[Proposal]:
        return there(model, "two", rule=NUMBERS, tolerance=1e-6)

    (refused,) = fixed(propose, tmp_path, monkeypatch, Wanted(unsafe=True)).refused
    assert refused.step == "outputs"


def test_what_may_change_numbers_hides_nothing_that_may_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = CHAIN.replace("1e-9", "1e-3")

    def propose(model: Model) -> list[Proposal]:
        loose = there(model, "one", "three", rule=NUMBERS, tolerance=0.1)
        return [*loose, *there(model, "four"), *there(model, "five", rule=NUMBERS, tolerance=1e-6)]

    course = fixed(propose, tmp_path, monkeypatch, Wanted(unsafe=True), text)
    assert said(course) == ["Removes five.", "Removes one.", "Removes three."]
    assert [each.entry.says for each in course.refused] == ["Removes four."]


def test_each_may_change_what_it_states_but_not_all_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = CHAIN.replace("c = Identity (b)", "c = Add (b, tiny)").replace("1e-9", "1e-3")
    proved: list[int] = []
    failure = Proof.failure

    def counted(self: Proof, fixes: list[Proposal], *rest: Any, **more: Any) -> Failure | None:
        proved.append(len(fixes))
        return failure(self, fixes, *rest, **more)

    def propose(model: Model) -> list[Proposal]:
        return there(model, "three", "four", rule=NUMBERS, tolerance=1.5e-3)

    monkeypatch.setattr(Proof, "failure", counted)
    course = fixed(propose, tmp_path, monkeypatch, Wanted(unsafe=True), text)
    assert said(course) == ["Removes three.", "Removes four."]
    assert proved == [2, 1, 2, 1]


def test_what_clashes_waits_for_the_next_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def propose(model: Model) -> list[Proposal]:
        both = there(model, "one", "one")
        return both[:1] + ([Proposal(SAFE, both[1].hit, both[1].fix)] if both else [])

    course = fixed(propose, tmp_path, monkeypatch)
    assert said(course) == ["Removes one."]
    assert course.refused == []


def test_the_interface_stays_unless_a_fix_is_about_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def propose(model: Model, changes: bool = False) -> list[Proposal]:
        x, y = model.graph.values["x"], model.graph.values["y"]
        if x.declared_shape == (3,):
            return []
        edits = (SetShape(x, (3,)), SetShape(y, (3,)))
        fix = Fix(edits, "Fixes N.", changes_interface=changes)
        return [Proposal(SAFE, Hit(x), fix)]

    (refused,) = fixed(propose, tmp_path, monkeypatch).refused
    assert (refused.step, refused.detail) == ("interface", "input 'x' would be float32 3")
    course = fixed(lambda m: propose(m, True), tmp_path, monkeypatch)
    assert said(course) == ["Fixes N."]


def test_what_the_checker_or_the_runtime_refuses_is_not_carried_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong_attribute(model: Model) -> list[Proposal]:
        node = model.graph.nodes[1]
        return [Proposal(SAFE, Hit(node), Fix((SetAttribute(node, "axis", 1),), "Adds axis."))]

    (refused,) = fixed(wrong_attribute, tmp_path, monkeypatch).refused
    assert (refused.step, "axis" in refused.detail) == ("checker", True)


def test_edits_that_cannot_be_carried_out_are_blamed_on_their_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def propose(model: Model) -> list[Proposal]:
        node = next(each for each in model.graph.nodes if each.name == "two")
        broken = Fix((RemoveNodes((node,)),), "Removes two.")
        return [*there(model, "one", "five"), Proposal(SAFE, Hit(node), broken)]

    course = fixed(propose, tmp_path, monkeypatch)
    assert sorted(said(course)) == ["Removes five.", "Removes one."]
    assert [(each.step, each.detail) for each in course.refused] == [
        ("edit", "'b' would be missing")
    ]


def test_elements_that_cannot_be_computed_are_blamed_on_their_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def propose(model: Model) -> list[Proposal]:
        tiny = model.graph.values["tiny"]
        broken = SetTensor(tiny, DTYPES["float32"], (1,), lambda: np.float32("x").reshape(1))
        wrong = Proposal(SAFE, Hit(tiny), Fix((broken,), "Writes tiny."))
        return [wrong, *there(model, "one")]

    course = fixed(propose, tmp_path, monkeypatch)
    assert said(course) == ["Removes one."]
    assert [each.step for each in course.refused] == ["edit"]


def test_what_waits_for_a_fix_that_is_refused_gets_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def propose(model: Model) -> list[Proposal]:
        node = next((each for each in model.graph.nodes if each.name == "one"), None)
        if node is None:
            return []
        broken = Fix((RemoveNodes((node,)),), "Removes one, and leaves a hole.")
        return [Proposal(SAFE, Hit(node), broken), without(model, "one")]

    course = fixed(propose, tmp_path, monkeypatch)
    assert (said(course), len(course.refused)) == (["Removes one."], 1)


@pytest.mark.parametrize("writes", [False, True])
def test_what_cannot_be_run_is_proved_by_structure_or_not_at_all(
    writes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modellint.fixing.proof.memory_to_spare", lambda: 0)

    def propose(model: Model) -> list[Proposal]:
        return there(model, "four", rule=NUMBERS, tolerance=1.0) if writes else there(model, "one")

    wanted = Wanted(exact=True) if not writes else Wanted(unsafe=True)
    course = fixed(propose, tmp_path, monkeypatch, wanted)
    assert said(course) == (["Removes four."] if writes else ["Removes one."])


def test_without_a_run_nothing_is_taken_on_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modellint.fixing.proof.memory_to_spare", lambda: 0)
    (refused,) = fixed(lambda m: there(m, "two"), tmp_path, monkeypatch).refused
    assert refused.step == "not-run"
    assert "exceed the available memory" in refused.detail


def test_names_are_no_reason_for_a_run_to_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def propose(model: Model) -> list[Proposal]:
        node = model.graph.nodes[0]
        if node.name != "one":
            return []
        return [Proposal(SAFE, Hit(node), Fix((Rename(node, "new"),), "Renames."))]

    assert said(fixed(propose, tmp_path, monkeypatch)) == ["Renames."]


@pytest.mark.parametrize(
    ("only", "never", "asked"),
    [
        ((), (), True),
        (("HYG",), (), True),
        (("FUS",), (), False),
        ((), ("HYG004",), False),
        (("HYG004",), ("HYG",), True),
        (("HYG",), ("HYG004",), False),
    ],
)
def test_the_more_specific_selector_wins(
    only: tuple[str, ...], never: tuple[str, ...], asked: bool
) -> None:
    proposal = Proposal(SAFE, Hit(), Fix((), ""))
    assert Wanted(only=only, never=never).asks(proposal) is asked


@pytest.mark.parametrize("target", ["{-1, 4}", "{1, -1}"])
def test_an_opened_batch_must_not_mix_samples(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    baked = """
    <ir_version: 8, opset_import: ["" : 17]>
    main (float[N, 2, 2] x) => (float[N, M] y) <int64[2] to = {1, 4}>
    { [flat] y = Reshape (x, to) }
    """
    numbers = [int(each) for each in target.strip("{}").split(",")]

    def propose(opened: OpenModel, plan: Plan, choices: object) -> list[Proposal]:
        to = opened.model.graph.values["to"]
        if to.tensor is None or list(to.tensor.small_numbers()) == numbers:
            return []
        elements = partial(np.array, numbers, dtype=np.int64)
        edit = SetTensor(to, DTYPES["int64"], (2,), elements)
        fix = Fix((edit,), "Opens N.", changes_interface=True)
        return [Proposal(SAFE, Hit(to), fix)]

    monkeypatch.setattr("modellint.fixing.rounds.proposals", propose)
    path = save(baked, tmp_path / "baked.onnx")
    course = Fixing(path, "baked.onnx", Plan(rules=()), Wanted(), drafts(tmp_path)).run()
    if target == "{-1, 4}":
        assert said(course) == ["Opens N."]
    else:
        (refused,) = course.refused
        assert refused.step == "outputs"
