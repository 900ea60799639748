"""The fixes of rules' examples pass the proof, and lead to what the rule file says."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.examples import Case, cases_of, plan_of
from modellint.fixing.likeness import differences
from modellint.fixing.rounds import Fixing, Wanted
from modellint.formats import read_model
from modellint.formats.onnx.text import encoded, read_text
from modellint.rules.registry import load_rules
from tests.fixing.conftest import drafts

CASES = [
    pytest.param(case, id=case.name)
    for rule in load_rules(plugins=False).values()
    for case in cases_of(rule)
    if case.example.fixed
]


@pytest.mark.usefixtures("in_process", "warm")
@pytest.mark.parametrize("case", CASES)
def test_the_fix_is_proved(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(encoded(case.example.model))
    wanted = Wanted(unsafe=True, choices=case.example.choices)
    course = Fixing(
        path, path.name, plan_of(case.rule, case.example), wanted, drafts(tmp_path)
    ).run()
    wanted_model = read_text(case.example.fixed)
    assert course.refused == []
    assert differences(wanted_model, read_model(course.result)) == []
    assert course.fixed or not differences(wanted_model, read_model(path))
