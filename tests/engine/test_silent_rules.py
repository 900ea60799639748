"""Rules that have nothing to say of a model are not asked: nothing is lost by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from modellint.engine import lint_file
from modellint.plan import Plan
from modellint.rules.registry import load_rules
from modellint.targets import find_target
from modellint.targets.deployment import Deployment

RULES = load_rules(plugins=False)
DEPLOYMENTS = (
    Deployment(),
    Deployment(target=find_target("a10"), runtime="tensorrt"),
    Deployment(runtime="onnxruntime", precision="int8"),
)


def test_every_rule_finds_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the models that rules fire on, after each other: what is learned of one is kept.

    Rules whose operators or features a model lacks are asked all the same where the files' words
    and the checks' are ignored.
    """
    texts = [rule.examples.invalid[0].model for rule in RULES.values() if rule.examples.invalid]
    paths = []
    for number, text in enumerate(filter(None, texts)):
        paths.append(tmp_path / f"{number}.onnxtxt")
        paths[-1].write_text(text)
    learning, asking = (
        Plan(rules=tuple(RULES.values()), deployments=DEPLOYMENTS) for _ in range(2)
    )
    found = [lint_file(path, path.name, learning).findings for path in (*paths, *paths)]
    monkeypatch.setattr("modellint.questions.Question.is_understood", False)
    monkeypatch.setattr("modellint.questions.choice", lambda text: None)
    monkeypatch.setattr("modellint.checks.api.Context.lacks", lambda self, features: False)
    asked = [lint_file(path, path.name, asking).findings for path in paths]
    assert found == [*asked, *asked]


HALF = """
<ir_version: 8, opset_import: ["" : 17]>
half (float16[1,8] x) => (float16[1,8] y)
<float16[8] w = {1,1,1,1,1,1,1,1}>
{ y = Add (x, w) }
"""


def test_a_deployment_that_fits_one_model_says_nothing_about_others(tmp_path: Path) -> None:
    """A model stored in fp16 drops the assumed precision, on which the rule depends."""
    rule = RULES["FUS043"]
    (tmp_path / "half.onnxtxt").write_text(HALF)
    (tmp_path / "odd.onnxtxt").write_text(rule.examples.invalid[0].model or "")
    assumed = Deployment(
        find_target("a10"), "tensorrt", precision="fp16", origins={"precision": "assumed"}
    )
    plan = Plan(rules=(rule,), deployments=(assumed,))
    found = [
        [each.code for each in lint_file(tmp_path / name, name, plan).findings]
        for name in ("odd.onnxtxt", "half.onnxtxt", "odd.onnxtxt")
    ]
    assert found == [["FUS043"], [], ["FUS043"]]
