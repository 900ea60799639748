"""Every rule answers its own examples as its file says."""

from __future__ import annotations

import pytest

from modellint.examples import Case, cases_of
from modellint.rules.registry import load_rules
from modellint.rules.rule import Rule

RULES = load_rules(plugins=False)
CASES = [pytest.param(case, id=case.name) for rule in RULES.values() for case in cases_of(rule)]


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("case", CASES)
def test_example(case: Case) -> None:
    if case.missing:
        pytest.skip(case.missing)
    assert case.failure() == ""


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_rule_file_is_complete(rule: Rule) -> None:
    if rule.check != "engine":
        assert rule.examples.invalid, "needs an example that it fires on"
        assert rule.examples.valid, "needs an example that it stays silent on"
    assert rule.summary.endswith(".")
    assert rule.message.endswith("."), "a message is a sentence"
    assert len(rule.summary) < 120
    assert rule.why.strip()
    assert rule.fix.strip()
    assert rule.path is not None
    assert rule.path.parent.name == rule.family
