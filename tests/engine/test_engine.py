"""Linting one file: findings, their words, their fingerprints, and rules that crash."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from modellint.engine import lint_file
from modellint.plan import FileReport, Plan
from modellint.results.finding import Finding, Severity
from modellint.rules.registry import load_rules
from modellint.rules.rule import Rule
from modellint.targets.deployment import Deployment

RULES = load_rules(plugins=False)
TWO_BLOCKS = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[1,4] x) => (float[1,4] y)
{
    [first] a = Dropout (x)
    [second] b = Relu (a)
    [third] c = Dropout (b)
    [fourth] y = Sigmoid (c)
}
"""
SAME_RENAMED = """
<ir_version: 8, opset_import: ["" : 17]>
main (float[1,4] input) => (float[1,4] output)
{
    [n0] t0 = Dropout (input)
    [n1] t1 = Relu (t0)
    [n2] t2 = Dropout (t1)
    [n3] output = Sigmoid (t2)
}
"""
DROPOUT = RULES["HYG005"]


def lint(text: str, folder: Path, *rules: Rule, **plan: object) -> FileReport:
    path = folder / "model.onnxtxt"
    path.write_text(text)
    return lint_file(path, "models/model.onnxtxt", replace(Plan(rules=rules), **plan))  # type: ignore[arg-type]


def findings(text: str, folder: Path, *rules: Rule, **plan: object) -> tuple[Finding, ...]:
    return lint(text, folder, *rules, **plan).findings


def test_a_finding_names_its_place(tmp_path: Path) -> None:
    first, second = findings(TWO_BLOCKS, tmp_path, DROPOUT)
    assert (first.location.graph, first.location.node, first.location.index) == ("main", "first", 0)
    assert second.location.op_type == "Dropout"
    assert second.path == "models/model.onnxtxt"
    assert second.frame is not None
    assert [(row.name, row.focus) for row in second.frame.rows] == [
        ("second", False),
        ("third", True),
        ("fourth", False),
    ]


def test_fingerprints_differ_within_a_file_and_survive_renaming(tmp_path: Path) -> None:
    ours = [finding.fingerprint for finding in findings(TWO_BLOCKS, tmp_path, DROPOUT)]
    renamed = [finding.fingerprint for finding in findings(SAME_RENAMED, tmp_path, DROPOUT)]
    assert len(set(ours)) == 2
    assert renamed == ours


def test_fingerprints_survive_another_order_of_nodes(tmp_path: Path) -> None:
    branches = """
        <ir_version: 8, opset_import: ["" : 17]>
        main (float[1,4] x) => (float[1,4] y)
        {{
            {0}
            {1}
            y = Add (r, s)
        }}
    """
    one = "a = Dropout (x) r = Relu (a)"
    two = "b = Dropout (x) s = Sigmoid (b)"
    ours = findings(branches.format(one, two), tmp_path, DROPOUT)
    other = findings(branches.format(two, one), tmp_path, DROPOUT)
    assert {f.fingerprint for f in ours} == {f.fingerprint for f in other}
    by_label = {f.location.node: f.fingerprint for f in ours}
    assert {f.location.node: f.fingerprint for f in other} == by_label


def test_fingerprints_change_when_the_structure_does(tmp_path: Path) -> None:
    before = findings(TWO_BLOCKS, tmp_path, DROPOUT)
    after = findings(TWO_BLOCKS.replace("Relu", "Tanh"), tmp_path, DROPOUT)
    assert {f.fingerprint for f in before}.isdisjoint(f.fingerprint for f in after)


def test_a_crashing_rule_becomes_a_finding_and_the_others_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modellint.checks import hygiene

    def crash(context: object) -> list[object]:
        raise ZeroDivisionError("oh no")

    monkeypatch.setattr(hygiene, "dead_node", crash)
    found = findings(TWO_BLOCKS, tmp_path, RULES["HYG002"], DROPOUT)
    assert [finding.code for finding in found] == ["INT001", "HYG005", "HYG005"]
    start = "Rule HYG002 (dead-node) crashed: ZeroDivisionError: oh no (test_engine.py:"
    assert found[0].message.startswith(start)
    assert found[0].severity is Severity.ERROR


def test_severity_overrides(tmp_path: Path) -> None:
    found = findings(TWO_BLOCKS, tmp_path, DROPOUT, severities={"HYG005": Severity.ERROR})
    assert {finding.severity for finding in found} == {Severity.ERROR}


def test_options_reach_the_check(tmp_path: Path) -> None:
    text = """
        <ir_version: 8, opset_import: ["" : 17]>
        main (float[1,4] x) => (float[1,4] y) <float[2] w = {1.0, 2.0}> { y = Relu (x) }
    """
    (light,) = findings(text, tmp_path, RULES["HYG001"])
    (heavy,) = findings(text, tmp_path, RULES["HYG001"], options={"HYG001": {"heavy-bytes": 8}})
    assert (light.severity, heavy.severity) == (Severity.INFO, Severity.WARNING)


def test_a_rule_is_asked_once_unless_its_answer_depends_on_the_deployment(tmp_path: Path) -> None:
    deployments = (Deployment(precision="fp16"), Deployment(precision="fp32"), Deployment())
    assert len(findings(TWO_BLOCKS, tmp_path, DROPOUT, deployments=deployments)) == 2
    mask = """
        <ir_version: 8, opset_import: ["" : 17]>
        main (float[1,4] x) => (float[1,4] y) <float big = {-1e9}> { y = Add (x, big) }
    """
    assert len(findings(mask, tmp_path, RULES["NUM002"], deployments=deployments)) == 1


def test_a_rule_for_one_runtime_is_silent_without_it(tmp_path: Path) -> None:
    new = TWO_BLOCKS.replace("17", "99")
    rule = RULES["CMP001"]
    assert not findings(new, tmp_path, rule)
    (found,) = findings(new, tmp_path, rule, deployments=(Deployment(runtime="tensorrt"),))
    assert found.runtime == "tensorrt"


@pytest.mark.parametrize("entry", ["HYG005", "HYG", "dropout-left-over", "FUS001, HYG005"])
def test_a_model_can_ask_to_be_spared(tmp_path: Path, entry: str) -> None:
    text = TWO_BLOCKS.replace(
        "<ir_version", f'<metadata_props: ["modellint.ignore": "{entry}"], ir_version'
    )
    found = findings(text, tmp_path, DROPOUT)
    assert all(finding.suppressed for finding in found)
    loud = findings(text, tmp_path, DROPOUT, inline_suppressions=False)
    assert not any(finding.suppressed for finding in loud)


def test_a_summary_says_what_was_read(tmp_path: Path) -> None:
    summary = lint(TWO_BLOCKS, tmp_path, DROPOUT).summary
    assert (summary.nodes, summary.parameters, summary.weight_bytes) == (4, 0, 0)
    assert "graph" in summary.capabilities


def test_timings_name_rules_and_reading(tmp_path: Path) -> None:
    timings = lint(TWO_BLOCKS, tmp_path, DROPOUT).timings
    assert set(timings) == {"(read)", "HYG005"}
